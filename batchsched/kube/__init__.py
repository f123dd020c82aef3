"""Kube: the adapter of the ports to a real Kubernetes API server.

The only package that speaks to an API server, and the only one that knows the ``kubernetes``
client, of which it takes the credentials and nothing else: objects stay JSON until the readers of
``snapshot`` make nouns of the few fields that matter. Does not see the simulator.
"""
