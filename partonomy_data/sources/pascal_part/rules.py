"""The quirks of Pascal-Part's three layouts, each a named rule."""

from __future__ import annotations

from partonomy_data.rules import Rule
from partonomy_data.sources import coco_json, files

_ALL_LAYOUTS = (
    files.UNDECODABLE,
    Rule(
        "link_leads_out",
        "quarantined",
        "A `.mat` file or a label map is a link that leads out of the source's folder.",
        "It isn't opened. Name the folder that it leads to.",
    ),
    Rule(
        "link_out_of_folder",
        "kept",
        "A photograph, or the folder of photographs, is a link that leads out of the folder.",
        "It is not followed; the photograph counts as missing. Name the real folder with --images.",
    ),
    Rule(
        "macos_file",
        "kept",
        "An archive made on macOS holds a `._` file beside each file.",
        "It holds no annotation, and is passed over.",
    ),
)

_MAT_FILES = (
    Rule(
        "mat_unreadable",
        "quarantined",
        "A `.mat` file is empty, cut off, damaged, not of MATLAB 5, or states sizes that its bytes don't bear out.",
        "scipy's C code would read past the end of memory; the file is refused before it gets there.",
    ),
    Rule(
        "mat_version_73",
        "quarantined",
        "A `.mat` file was saved anew by MATLAB 7.3, as HDF5.",
        "`save -v7` in MATLAB writes what can be read.",
    ),
    Rule(
        "anno_missing",
        "quarantined",
        "A MATLAB file has no variable called `anno`.",
        "It is not an annotation of Pascal-Part.",
    ),
    Rule(
        "anno_malformed",
        "quarantined",
        "The variable `anno` lacks `objects`, or an object `class` or `mask`, or a part `part_name` or `mask`.",
        "It is not an annotation of Pascal-Part.",
    ),
    Rule(
        "size_unknown",
        "quarantined",
        "A file has no mask at all, and the photograph isn't on disk.",
        "The photograph's width and height can't be known.",
    ),
    Rule(
        "mask_too_large",
        "quarantined",
        "A mask in a file has a side or a number of pixels that no mask can have.",
        "The whole file is not used: its photograph would be of that size.",
    ),
    Rule(
        "cell_for_struct",
        "repaired",
        "A file that Python saved anew holds a cell array of structs where MATLAB has a struct array.",
        "Its elements are read alike.",
    ),
    Rule(
        "photograph_without_objects",
        "kept",
        "A file has no objects.",
        "The photograph is kept, with its own size.",
    ),
    Rule(
        "image_name_mismatch",
        "repaired",
        "The `imname` in a file is missing or not the file's name.",
        "The file's name is believed: splits and photographs go by it.",
    ),
)

_INSTANCES = (
    Rule(
        "table_for_dining_table",
        "repaired",
        "Class 11 is called `table` in the files, and `diningtable` everywhere else in VOC.",
        "It is the dining table; `source_category` keeps `table`.",
    ),
    Rule(
        "class_index_mismatch",
        "repaired",
        "An object's `class_ind` is not the number of its `class`.",
        "The name is believed.",
    ),
    Rule(
        "class_unknown",
        "quarantined",
        "An object's class is none of VOC's 20.",
        "Neither it nor its parts can be named.",
    ),
    Rule(
        "object_without_parts",
        "kept",
        "An object of a class with parts has none: its `parts` has the shape (0, 0).",
        "It is kept; that its parts are absent is not concluded.",
    ),
    Rule(
        "object_mask_unusable",
        "repaired",
        "An object's mask is missing, empty, of another size, or no matrix of numbers.",
        "The union of its parts stands for it.",
    ),
    Rule(
        "mask_malformed",
        "quarantined",
        "A part's mask is missing, or no matrix of finite numbers.",
        "It can't be drawn. Masks without a pixel, or of another size, are for the rules of all masks.",
    ),
    Rule(
        "mask_values",
        "repaired",
        "A mask holds other values than 0 and 1 (255, say).",
        "All that isn't 0 is the mask.",
    ),
    Rule(
        "part_of_one_pixel",
        "kept",
        "A part's mask has a single pixel (eyes, eyebrows, tails).",
        "It is what was annotated.",
    ),
    Rule(
        "duplicate_part_name",
        "kept",
        "An object has two parts of the same name.",
        "Both are kept, the second under a key with #2.",
    ),
    Rule(
        "rear_for_right_ear",
        "kept",
        "The code `rear` looks like the rear, and is the right ear (`r`, `ear`).",
        "It is spelled out as right ear.",
    ),
    Rule(
        "code_variant",
        "repaired",
        "Some copies hold codes that the authors' list lacks: head_bird, body_4, wing_1, tail_2.",
        "The class and the number are taken off, if a part of the class remains; its side stays untold.",
    ),
    Rule(
        "code_unknown",
        "quarantined",
        "A part's code names no part of its object's class.",
        "It can't be named.",
    ),
)

_VLPART = (
    Rule(
        "object_of_parts",
        "repaired",
        "VLPart's files have parts only: no objects, and nothing that links the parts of one.",
        "All parts of a class in a photograph hang on one object, marked merged, whose mask is their union.",
    ),
    Rule(
        "side_not_told",
        "kept",
        "Left and right, front and back became one category, so that a photograph has several parts of the same one.",
        "Each is kept; which side it was can't be told.",
    ),
    Rule(
        "chainwheel_as_wheel",
        "kept",
        "Categories were found by substring, so that a chainwheel is a bicycle:wheel as well.",
        "It can't be told from a wheel; counted are all wheels of bicycles, since each may be one.",
    ),
    Rule(
        "box_without_plus_one",
        "repaired",
        "A box is as wide and high as the distance of the outermost pixels: one too little, and 0 for a single one.",
        "The box is computed from the mask.",
    ),
    Rule(
        "box_mismatch",
        "repaired",
        "A box is not that of the mask in another way.",
        "The box is computed from the mask.",
    ),
    Rule(
        "area_of_box",
        "repaired",
        "`area` is the box's and not the mask's.",
        "The area is computed from the mask.",
    ),
    Rule(
        "area_zero",
        "repaired",
        "`area` is 0, though the mask has pixels: parts of one row or column of pixels.",
        "The part is kept, and its area is computed from the mask.",
    ),
    Rule(
        "abbreviation_key",
        "kept",
        "Some categories (license plate, paw) have a key `abbr` with the code that was searched for.",
        "The name says it all; the key isn't needed.",
    ),
    Rule(
        "categories_renumbered",
        "kept",
        "A file has other categories than the usual 93: train_base.json has 77 of them, under other ids.",
        "Names are always read from the file's own categories.",
    ),
    Rule(
        "category_unknown",
        "quarantined",
        "An annotation's category_id is in no row of `categories`.",
        "It can't be named.",
    ),
    Rule(
        "category_name_malformed",
        "quarantined",
        "A category's name is not one of VOC's classes, one colon, and a part.",
        "Its annotations can't be named.",
    ),
    Rule(
        "duplicate_annotation_id",
        "quarantined",
        "Two annotations of a photograph have the same id.",
        "The first one keeps it.",
    ),
    Rule(
        "duplicate_image",
        "quarantined",
        "Two rows of `images`, in one file or two, have the same id or file name.",
        "The first one is kept; the annotations of the second can't be told apart.",
    ),
    Rule(
        "file_name_unsafe",
        "quarantined",
        "A file name is absolute, or climbs out of its folder.",
        "It is never opened; the photograph and its annotations can't be placed.",
    ),
    Rule(
        "size_invalid",
        "quarantined",
        "A photograph's width or height is not between 1 and 65,535.",
        "No mask can be checked against it.",
    ),
)

_LABEL_MAPS = (
    Rule(
        "instances_merged",
        "kept",
        "A label map tells classes and not instances; where parts overlap, the one painted last is seen.",
        "There is one object of each class, marked merged; that a part is absent is not concluded.",
    ),
    Rule(
        "object_label_missing",
        "repaired",
        "The map of parts shows a part of a class that the map of objects doesn't show.",
        "The object is the union of its parts.",
    ),
    Rule(
        "object_map_missing",
        "repaired",
        "A photograph has a map of parts and none of objects.",
        "Each object is the union of its parts.",
    ),
    Rule(
        "part_map_missing",
        "kept",
        "A photograph has a map of objects and none of parts.",
        "Its objects are kept.",
    ),
    Rule(
        "label_map_size_mismatch",
        "quarantined",
        "The two maps of a photograph are of different sizes.",
        "The map of parts is kept, and each object is the union of its parts.",
    ),
    Rule(
        "label_map_unreadable",
        "quarantined",
        "A label map is empty, cut off, damaged, too large, in color, or has 16 bits a pixel.",
        "Its labels can't be told; the photograph's other map is still read.",
    ),
    Rule(
        "label_unknown",
        "quarantined",
        "A label is neither one of the 20 classes or 116 parts, nor 255.",
        "It can't be named; the other labels of the map are kept.",
    ),
)

RULES: tuple[Rule, ...] = (*_ALL_LAYOUTS, *_MAT_FILES, *_INSTANCES, *_VLPART, *_LABEL_MAPS, *coco_json.RULES)
