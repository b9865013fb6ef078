"""The conductor: takes an environment through the stages, in the order of ``stages.STAGES``. It knows Terraform's and
Ansible's interfaces; what a node, a certificate or a policy is, they know."""
