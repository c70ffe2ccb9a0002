"""Networks: what each must offer (`contract`), and one file for each family of them."""
