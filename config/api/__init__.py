"""REST v1, assembled from the apps' routers."""
