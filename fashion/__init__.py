"""Code shared by training, serving and the catalog: labels, preprocessing, network, model card, inference.

Imports run one way: `training`, `serving` and `catalog` import `fashion`; `fashion` imports none of them.
"""
