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
ID_COLUMNS = (
    *("id", "item_id", "itemid", "product_id", "productid", "sku", "image_id", "imageid", "article_id"),
    *("handle", "variant_sku", "article_number", "product_code", "item_number", "gtin", "ean", "asin"),
)
DATE_COLUMNS = (
    *("date", "listed", "listed_at", "date_listed", "added", "added_at", "date_added", "created", "created_at"),
    *("published", "published_at", "published_on", "released", "release_date", "launched", "launch_date", "launch"),
    *("first_seen", "available_from", "online_since", "timestamp", "datetime", "day", "week", "month", "year"),
)
IMAGE_FOLDERS = ("", "images", "image", "imgs", "photos")  # looked through beside the table
IMAGE_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".webp")  # a cell may name a photograph without its ending


def usual_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that has the first of these usual names, or None."""
    there = {plain(column): column for column in reversed(columns)}
    return next((there[name] for name in names if name in there), None)


def plain(column: str) -> str:
    """A column's name as the lists above spell it."""
    return column.strip().lower().removeprefix("g:").replace(" ", "_").replace("-", "_")  # g: is Google's name space
