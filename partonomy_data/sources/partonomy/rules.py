"""The quirks of PARTONOMY's files, each a named rule."""

from __future__ import annotations

from partonomy_data.rules import Rule
from partonomy_data.sources import coco_json, files

_SHARED = ("json_byte_order_mark", "number_not_finite")

LABELS = (
    Rule(
        "label_capitals",
        "repaired",
        "The folder of a label is written with capitals.",
        "Labels are read in lower case, as the authors do; folders that then agree are one label.",
    ),
    Rule(
        "label_spelled_twice",
        "repaired",
        "Two folders differ in capitals, blanks or Unicode form only.",
        "They hold masks of one label.",
    ),
    Rule(
        "label_nested",
        "repaired",
        'A part\'s name with a "/" ("on/off switch") made a folder within a folder.',
        "Masks are read at any depth; the folders' names, with a blank between, are the part's name.",
    ),
    Rule(
        "label_malformed",
        "quarantined",
        "A mask lies in no folder, or in one that isn't called `category--object` or `category--object--part:name`.",
        "What the mask shows isn't known.",
    ),
    Rule(
        "object_prefix",
        "repaired",
        "Sets converted from COCO call an object `object--dog`, and its part `dog--part:head`.",
        "`object--` says nothing and is removed: both are of the object `dog`.",
    ),
    Rule(
        "display_name_collision",
        "kept",
        "Objects of two categories have one bare name (a submarine of boats, one of ships), as seven names of the "
        "authors' map have.",
        'They are different objects; each keeps its category in parentheses ("submarine (boat)").',
    ),
    Rule(
        "display_name_shared",
        "repaired",
        "A cleaned descriptor has one name for two labels (`submarine`).",
        "The folder or the file name of the photograph says which is meant.",
    ),
    Rule(
        "display_name_merged",
        "kept",
        "A cleaned descriptor has one name for two labels, and the photograph's path says nothing of which is meant.",
        "The name stands for both, without a category.",
    ),
    Rule(
        "graph_missing",
        "kept",
        "There is no graph.yaml.",
        "The objects and parts are those of the folders; no pair is called curated.",
    ),
    Rule(
        "graph_pair_mismatch",
        "repaired",
        "graph.yaml lists a part's label under another object than the label names.",
        "The label says whose part it is.",
    ),
    Rule(
        "graph_label_malformed",
        "repaired",
        "graph.yaml lists a label that is none (`boats--`, a part without a name).",
        "It names nothing, and is left out.",
    ),
    Rule(
        "part_not_in_graph",
        "kept",
        "A mask is of a part that the object doesn't have in graph.yaml.",
        "It was drawn, so it is there; the vocabulary has the part too.",
    ),
)

MASKS = (
    Rule(
        "mask_keys_missing",
        "quarantined",
        "A mask's JSON lacks size, counts, image_path or is_root_concept.",
        "It can't be placed, or told from the mask of another thing.",
    ),
    Rule(
        "mask_keys_extra",
        "kept",
        "A mask's JSON has more than its four keys (`mask_path`, mostly null, from the annotation tool).",
        "They aren't needed.",
    ),
    Rule(
        "mask_malformed",
        "quarantined",
        "A mask's JSON is empty, cut off, too large, or has a field of the wrong type.",
        "There is no mask to be had from it.",
    ),
    Rule(
        "root_flag_wrong",
        "repaired",
        "`is_root_concept` is true for a part's label, or false for an object's.",
        "The label says what the mask is of.",
    ),
    Rule(
        "duplicate_mask",
        "quarantined",
        "One photograph has two equal masks of one label.",
        "One thing was annotated twice; the first is kept.",
    ),
    Rule(
        "several_masks_of_part",
        "kept",
        "A photograph has several masks of one part.",
        "They are several part instances.",
    ),
    Rule(
        "several_object_masks",
        "kept",
        "A photograph has several masks of one object's label.",
        "They are several object instances; matching finds whose the parts are.",
    ),
    Rule(
        "object_mask_missing",
        "kept",
        "A photograph has masks of an object's parts and none of the object.",
        "One object is kept that has them all; its mask is the union of its parts.",
    ),
    Rule(
        "object_without_parts",
        "kept",
        "A photograph has an object and no mask of its parts.",
        "The object is kept.",
    ),
    Rule(
        "several_objects_in_image",
        "kept",
        "One photograph appears under several labels.",
        "It is one photograph with an object of each.",
    ),
    Rule(
        "stray_file",
        "kept",
        "Other files lie among the masks or the photographs.",
        "They are counted and not opened; hidden ones are passed over.",
    ),
    Rule(
        "annotations_folder",
        "kept",
        "The masks lie in annotations/ instead of masks/, where an older loader looks for them.",
        "They are read from there.",
    ),
)

PHOTOGRAPHS = (
    Rule(
        "image_path_absolute",
        "kept",
        "`image_path` is absolute on the authors' disks.",
        "It is never opened; its last folder and its file name are looked up among the photographs that are here.",
    ),
    Rule(
        "image_path_unsafe",
        "quarantined",
        "`image_path` is empty, climbs out of its folder with `..`, or holds a backslash or control character.",
        "No photograph of this source is called so.",
    ),
    Rule(
        "image_missing",
        "quarantined",
        "`image_path` names a photograph that isn't here.",
        "A mask without its photograph shows nothing.",
    ),
    Rule(
        "image_moved",
        "repaired",
        "The photograph lies in another folder than `image_path` says.",
        "If only one photograph has the file name, in a folder that is no object's, and it is of the mask's size, it is that"
        " one.",
    ),
    Rule(
        "images_absent",
        "kept",
        "There is no folder of images at all.",
        "The photographs are known by their folder and file name; their size is that of most of their masks.",
    ),
    Rule(
        "image_size_unknown",
        "quarantined",
        "There is no folder of images, and no mask says how large a photograph is.",
        "A photograph without a size holds no mask.",
    ),
    Rule(
        "image_without_masks",
        "kept",
        "A photograph has no mask.",
        "It is kept, with no object.",
    ),
    Rule(
        "image_unreadable",
        "quarantined",
        "A photograph is empty, cut off in its header, or no image at all.",
        "Nobody can look at it; its masks go with it.",
    ),
    Rule(
        "image_too_large",
        "quarantined",
        "A photograph's header promises more than 178,956,970 pixels (a decompression bomb).",
        "It is not opened any further; its masks go with it.",
    ),
    Rule(
        "extension_lies",
        "kept",
        "A photograph's content isn't what its extension says (WEBP in a .jpg, in a third of those seen).",
        "Its kind is told by its content.",
    ),
    Rule(
        "exif_transposed",
        "kept",
        "A photograph is stored turned or mirrored, and its EXIF orientation says so; masks are of the upright one.",
        "Width and height are those of the upright photograph, in which the masks live.",
    ),
    files.UNDECODABLE,
    Rule(
        "link_leads_out",
        "quarantined",
        "A photograph or mask is a symbolic link to a folder, to nothing, or to a place outside the source.",
        "It isn't opened.",
    ),
)

DESCRIPTORS = (
    Rule(
        "descriptor_cleaned",
        "kept",
        'A cleaned descriptor has bare part names ("wings") and plain object names.',
        "The parts are those of the instance's object.",
    ),
    Rule(
        "descriptor_beside",
        "kept",
        "A folder holds a cleaned descriptor beside the raw one, or question files beside a descriptor.",
        "The one that says most is read: a raw descriptor, else a cleaned one, else the questions.",
    ),
    Rule(
        "instance_malformed",
        "quarantined",
        "An instance lacks `image_path`, `image_label` or `segmentations`, or has one of the wrong type.",
        "It can't be told what it shows.",
    ),
    Rule(
        "segmentation_malformed",
        "quarantined",
        "A mask of an instance is neither a run-length mask nor a polygon, or its label is none.",
        "There is no mask to be had from it; the instance's other masks are read.",
    ),
    Rule(
        "segmentation_wrapped",
        "repaired",
        'A mask is wrapped: `{"segmentation": {…}}`.',
        "It is unwrapped.",
    ),
    Rule(
        "segmentation_polygon",
        "kept",
        'A mask is a polygon: `{"polygon": […], "size": [h, w]}`.',
        "It is read as rings of x, y.",
    ),
    Rule(
        "segmentation_labels_differ",
        "kept",
        "`segmentation_labels` isn't the list of the labels that have masks.",
        "The masks decide.",
    ),
    Rule(
        "full_image_object",
        "kept",
        "In a set converted from COCO, a class has parts and no object: all parts of the class in the photograph are "
        "put on one object.",
        "It may stand for several objects, and is marked as merged.",
    ),
    Rule(
        "full_image_mask",
        "repaired",
        "Such an object's mask covers the whole photograph.",
        "It is no outline; the object's mask is the union of its parts.",
    ),
    Rule(
        "red_box_copy",
        "repaired",
        "Of several objects of one class, each has a copy of the photograph with a red box drawn around it "
        "(modified_images/<stem>-<k>.jpg).",
        "The copies' masks are put on the photograph itself, each copy's parts on its own object.",
    ),
    Rule(
        "red_box_copy_alone",
        "kept",
        "The photograph that a copy with a red box was made from isn't here.",
        "The copy is kept as a photograph of its own, in the split of the one that it shows.",
    ),
    Rule(
        "question_repeat",
        "repaired",
        "In a file of questions, a photograph's masks are repeated with each question.",
        "Each is read once.",
    ),
    Rule(
        "portable_clash_suffix",
        "kept",
        "In the flat layout, files of one name got `_` and eight hex digits appended.",
        "The suffix is part of the file name.",
    ),
)

REFUSED = (
    Rule(
        "annotator_state",
        "refused",
        'The file is the annotation tool\'s state ("checked", "unchecked").',
        "Masks in it may be marked as wrong; the descriptor that the tool exports is to be read.",
    ),
    Rule(
        "not_partonomy",
        "refused",
        "The folder or file is another dataset (COCO JSON, say), empty, or photographs alone.",
        "There is nothing of PARTONOMY in it.",
    ),
    Rule(
        "graph_not_harmless",
        "refused",
        "graph.yaml has tags that call code, merge keys, deep nesting, or anchors that stand for endless copies.",
        "The format needs none of these.",
    ),
)

RULES: tuple[Rule, ...] = (
    *(rule for rule in coco_json.RULES if rule.name in _SHARED),
    *LABELS,
    *MASKS,
    *PHOTOGRAPHS,
    *DESCRIPTORS,
    *REFUSED,
)
