"""What the columns of product tables are called in the wild."""

from collections.abc import Sequence

# Most telling first; letter case, spaces and dashes do not matter.
IMAGE_COLUMNS = (
    *("image", "img", "photo", "picture", "image_path", "image_file", "image_name", "image_filename"),
    *("filename", "file_name", "file", "filepath", "file_path", "path", "jpg"),
    # of the usual shop systems, which name several
    *("image_src", "images", "image_link", "base_image", "main_image", "primary_image", "featured_image"),
    *("image_1", "image1", "photos", "pictures", "image_url", "image_urls", "main_image_url", "img_src", "img_url"),
    *("photo_url", "picture_url", "product_image", "variant_image", "small_image"),
)
# Beside one of those, and taken together with it: a product's further photographs.
FURTHER_IMAGE_COLUMNS = (
    *("additional_image_link", "additional_image_links", "additional_images", "additional_image", "more_images"),
    *("additional_image_urls", "additional_image_url", "other_images", "extra_images", "gallery", "gallery_images"),
    *("image_gallery", "media_gallery", "product_gallery", "further_images"),
    *(
        f"{name}{sign}{number}"
        for name in ("image", "photo", "picture")
        for sign in ("_", "")
        for number in range(1, 21)
    ),
)
ID_COLUMNS = (
    *("id", "item_id", "itemid", "product_id", "productid", "sku", "image_id", "imageid", "article_id"),
    *("handle", "variant_sku", "article_number", "product_code", "item_number", "gtin", "ean", "asin"),
)
DATE_COLUMNS = (
    *("date", "listed", "listed_at", "date_listed", "added", "added_at", "date_added", "created", "created_at"),
    *("date_created", "created_on", "creation_date", "added_on", "listed_on", "listing_date", "date_published"),
    *("published", "published_at", "published_on", "released", "release_date", "launched", "launch_date", "launch"),
    *("publish_date", "published_date", "publication_date", "availability_date", "available_since"),
    *("first_seen", "available_from", "online_since", "timestamp", "datetime", "day", "week", "month", "year"),
)
# What says whether a product can be sold comes before how many there are: a shop may leave these empty.
STOCK_COLUMNS = (
    *("in_stock", "is_in_stock", "instock", "availability", "is_available", "stock_status", "inventory_status"),
    *("stock", "stock_qty", "stock_quantity", "stock_level", "qty", "quantity", "quantity_in_stock", "qty_in_stock"),
    *("inventory", "inventory_qty", "inventory_quantity", "inventory_level", "variant_inventory_qty"),
    *("variant_inventory_quantity", "total_inventory", "total_inventory_qty", "available_qty", "available_quantity"),
    *("on_hand", "quantity_on_hand", "units_in_stock", "lagerbestand", "bestand"),
)
TITLE_COLUMNS = (
    *("title", "product_title", "item_title", "name", "product_name", "productname", "item_name", "display_name"),
    *("product_display_name", "productdisplayname", "headline", "label"),
)
IMAGE_FOLDERS = ("", "images", "image", "imgs", "photos")  # looked through beside the table
IMAGE_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".webp")  # a cell may name a photograph without its ending


def usual_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that has the first of these usual names, or None."""
    there = {plain(column): column for column in reversed(columns)}
    return next((there[name] for name in names if name in there), None)


def further_images(columns: Sequence[str], image: str) -> list[str]:
    """The columns of further photographs beside the one of the first, in the table's order."""
    return [column for column in columns if column != image and plain(column) in FURTHER_IMAGE_COLUMNS]


def plain(column: str) -> str:
    """A column's name as the lists above spell it."""
    name = column.strip(" ?").lower().removeprefix("g:")  # g: is Google's name space
    return name.replace(" ", "_").replace("-", "_")
