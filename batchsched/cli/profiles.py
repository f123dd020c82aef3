"""Finding the profile that an option names: a built-in name, or a YAML or JSON file."""

from pathlib import Path

import yaml

from batchsched.profile import Profile, default_profile, named_profiles, parse_profile
from batchsched.snapshot.errors import InputError


def load_profile(name: str | None) -> Profile:
    """The profile of that name or in that file; the default where none is named.

    Raises:
        InputError: There is no such name or file, or its content is no profile.
    """
    if name is None:
        return default_profile()
    known = named_profiles()
    if name in known:
        return known[name]
    try:
        content = yaml.safe_load(Path(name).read_bytes())
    except OSError as error:
        names = ", ".join(known)
        what = f"no profile of this name ({names}), and no such file: {error.strerror}"
        raise InputError(what, source=name) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"is not YAML: {str(error).splitlines()[0]}", source=name) from None
    if not isinstance(content, dict):
        raise InputError("holds no profile; it starts with `kind: Profile`", source=name)
    return parse_profile(content, name)
