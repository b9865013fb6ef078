"""The load balancers of the emulated accounts, run for real by one HAProxy.

`reconcile` reads every account's ELBv2 state, renders HAProxy's configuration from it, applies what changed without
dropping connections, reports target health back and delivers the logs. `Networks` says where the accounts' VPCs are
on this machine.
"""

from rehearsal.balancer.addresses import BalancerError
from rehearsal.balancer.model import Network
from rehearsal.balancer.reconciler import Changes, check_ports, reconcile, start, status, stop

__all__ = ["BalancerError", "Changes", "Network", "check_ports", "reconcile", "start", "status", "stop"]
