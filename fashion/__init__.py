"""What training, serving and the catalog must agree on: labels, preprocessing, network, model card, inference.

Imports run one way: `training`, `serving` and `catalog` import `fashion`; `fashion` imports none of them.
"""
