"""Recognize the columns of product tables by their usual names."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# Names of columns that tables number: photo1, photo2.
_NUMBERED = (
    *("image", "photo", "picture", "img", "pic", "image_link", "image_url", "image_src", "picture_url", "photo_url"),
    *("image_path", "image_file", "product_image", "product_image_url", "product_image_file"),
    *("bild", "produktbild", "artikelbild", "bild_url", "foto"),
)
# Most specific first. Letter case, spaces and punctuation are ignored: "Image Src" and imageSrc equal image_src.
IMAGE_COLUMNS = (
    *("image", "img", "photo", "picture", "image_path", "image_file", "image_name", "image_filename"),
    *("filename", "file_name", "file", "filepath", "file_path", "path", "jpg"),
    # of common shop systems, which have several
    *("image_src", "images", "image_link", "base_image", "main_image", "primary_image", "featured_image"),
    *("image_1", "photos", "pictures", "image_url", "image_urls", "main_image_url", "img_src", "img_url"),
    *("photo_url", "picture_url", "pic_url", "product_image", "product_image_url", "variant_image", "small_image"),
    *("cover_image", "cover_url", "hosted_image_urls", "image_urls_xyz", "image_link_1", "image_url_1"),
    *("product_image_file_1", "default_image", "thumbnail"),
    *("bild", "bilder", "hauptbild", "bild_url", "produktbild", "artikelbild", "foto", "fotos"),
    *(f"{name}_1" for name in _NUMBERED),
)
# Further photographs of a product, used in addition to a column above.
FURTHER_IMAGE_COLUMNS = (
    *("additional_image_link", "additional_image_links", "additional_images", "additional_image", "more_images"),
    *("additional_image_urls", "additional_image_url", "other_images", "extra_images", "gallery", "gallery_images"),
    *("image_gallery", "media_gallery", "product_gallery", "further_images", "images", "all_images", "bilder"),
    *(
        f"{name}_{number}"
        for name in (*_NUMBERED, "additional_image_link", "other_image_url")
        for number in range(1, 21)
    ),
)
ID_COLUMNS = (
    *("id", "item_id", "product_id", "url_handle", "sku", "image_id", "article_id"),
    *("handle", "variant_sku", "article_number", "product_code", "item_number"),
    # An article has a number for each size in the columns below.
    *("artikelnummer", "artikelnr", "artikel_id", "produktnummer", "bestellnummer", "gtin", "ean", "asin"),
    *("product_number", "item_sku", "product_sku", "seller_sku", "custom_label", "product_code_sku", "handle_id"),
)
DATE_COLUMNS = (
    *("date", "listed", "listed_at", "date_listed", "added", "added_at", "date_added", "created", "created_at"),
    *("date_created", "created_on", "creation_date", "added_on", "listed_on", "listing_date", "date_published"),
    *("published", "published_at", "published_on", "released", "release_date", "launched", "launch_date", "launch"),
    *("publish_date", "published_date", "publication_date", "availability_date", "available_since"),
    *("first_seen", "available_from", "online_since", "timestamp", "datetime", "day", "week", "month", "year"),
    *("datum", "erstellt", "erstellt_am", "angelegt_am", "erscheinungsdatum"),
)
# Columns for availability come before quantities, which some shops leave empty.
STOCK_COLUMNS = (
    *("in_stock", "is_in_stock", "instock", "availability", "is_available", "stock_status", "inventory_status"),
    *("stock", "stock_qty", "stock_quantity", "stock_level", "qty", "quantity", "quantity_in_stock", "qty_in_stock"),
    *("inventory", "inventory_qty", "inventory_quantity", "inventory_level", "variant_inventory_qty"),
    *("variant_inventory_quantity", "total_inventory", "total_inventory_qty", "available_qty", "available_quantity"),
    *("on_hand", "quantity_on_hand", "units_in_stock", "current_stock_level", "current_stock"),
    *("vorrätig", "auf_lager", "lieferbar", "verfügbar", "lagerbestand", "bestand"),
)
TITLE_COLUMNS = (
    *("title", "product_title", "item_title", "name", "product_name", "item_name", "display_name"),
    *("product_display_name", "headline", "label", "titel", "bezeichnung", "artikelbezeichnung", "produktname"),
)
IMAGE_FOLDERS = ("", "images", "image", "imgs", "photos")  # searched, relative to the table's folder
IMAGE_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".webp")  # tried if a cell has no ending


def usual_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column with the first of these usual names that occurs, or None."""
    there = {normalized_name(column): column for column in reversed(columns)}
    return next((there[name] for name in _plain_names(tuple(names)) if name in there), None)


def is_usual(column: str, names: Sequence[str]) -> bool:
    """Whether the column has one of these usual names."""
    return normalized_name(column) in _plain_names(tuple(names))


def further_images(columns: Sequence[str], image: str) -> list[str]:
    """The columns of further photographs besides the column `image`, in the table's order."""
    return [column for column in columns if column != image and is_usual(column, FURTHER_IMAGE_COLUMNS)]


@lru_cache(4096)
def normalized_name(column: str) -> str:
    """Normalize a column's name to its lower-case letters and digits."""
    name = unicodedata.normalize("NFC", column).strip().lower().removeprefix("g:")  # g: is Google's namespace
    return re.sub(r"[\W_]+", "", name)


@lru_cache
def _plain_names(names: tuple[str, ...]) -> dict[str, None]:
    return dict.fromkeys(map(normalized_name, names))
