"""Colors of products: measure them on photographs, store them with the scored catalog, search by them."""
