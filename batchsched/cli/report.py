"""`batchsched report`: one HTML page of a plan, or of the folder that a simulation left."""

from pathlib import Path

import click

from batchsched.cli.output import write_whole


@click.command()
@click.argument("source", metavar="PLAN|DIR")
@click.option("-o", "--output", metavar="FILE.html", required=True, help="Write the page here.")
def report(source: str, output: str) -> None:
    """Make an HTML page of a plan, or of the folder of a simulation.

    The page is one file that needs nothing else. PLAN is what `batchsched solve -o` wrote, DIR what
    `batchsched simulate -o` left.
    """
    from batchsched.plan.plan import read_plan
    from batchsched.report.page import plan_page, simulation_page
    from batchsched.report.tables import read_tables

    path = Path(source)
    if path.is_dir():
        page = simulation_page(read_tables(path))
    else:
        page = plan_page(read_plan(path.read_bytes(), source), path.name)
    write_whole(output, page.encode())
    click.echo(f"Report written to {output}")
