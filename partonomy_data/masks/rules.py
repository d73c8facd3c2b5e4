"""What masks are found to be like, and what is done about it: every rule that a `MaskError` or a repair can name."""

from __future__ import annotations

from partonomy_data.rules import Rule

RULES: tuple[Rule, ...] = (
    Rule(
        "degenerate_ring",
        "repaired",
        "A ring of a polygon has fewer than 6 numbers, others have more. Where it comes first, pycocotools fails.",
        "The ring encloses no area and is left out; the others are drawn.",
    ),
    Rule(
        "rle_zero_runs",
        "repaired",
        "A mask has an empty run after its first: legal, but pycocotools' union and IoU stop where two of them meet.",
        "The runs on both sides are joined, so that equal masks are equal bytes. No pixel changes.",
    ),
    Rule(
        "rle_padded_counts",
        "repaired",
        "A number in compressed counts has more characters than it needs.",
        "The counts are written anew in their shortest form. No pixel changes.",
    ),
    Rule(
        "mask_missing",
        "quarantined",
        "The segmentation is an empty list.",
        "There is nothing to draw.",
    ),
    Rule(
        "mask_empty",
        "quarantined",
        "The mask covers no pixel: it is all background, or its polygon is thinner than a pixel or outside the image.",
        "It shows no part and no object.",
    ),
    Rule(
        "mask_too_large",
        "quarantined",
        "The image has no pixel, more than 2^28 of them, or a side above 2^24.",
        "A mask of that size can't be decoded safely.",
    ),
    Rule(
        "mask_size_mismatch",
        "quarantined",
        "A run-length mask's size is not that of its image, or masks of one image have different sizes.",
        "Its pixels can't be placed. A size of 200,000 x 200,000 would ask for 37 GiB.",
    ),
    Rule(
        "rle_alphabet",
        "quarantined",
        "Compressed counts hold a character outside COCO's 64, '0' to 'o'.",
        "The text is damaged, or in another encoding.",
    ),
    Rule(
        "rle_truncated",
        "quarantined",
        "Compressed counts end within a number.",
        "The text was cut off; pycocotools would read past its end.",
    ),
    Rule(
        "rle_overlong",
        "quarantined",
        "Compressed counts hold a number of more than 6 characters, or more characters than the image can need.",
        "No mask needs them, and pycocotools' 32-bit shifts would give another number.",
    ),
    Rule(
        "rle_negative_run",
        "quarantined",
        "A run has a negative length.",
        "pycocotools would take it for a run of some 4 billion pixels.",
    ),
    Rule(
        "rle_wrong_total",
        "quarantined",
        "The runs don't add up to the image's pixels.",
        "Too few decode to uninitialized memory, too many belong to another image.",
    ),
    Rule(
        "rle_not_integers",
        "quarantined",
        "Uncompressed counts are not a list of integers.",
        "Run lengths are whole numbers of pixels.",
    ),
    Rule(
        "polygon_degenerate",
        "quarantined",
        "All rings of a polygon have fewer than 6 numbers, that is, fewer than three corners.",
        "A point or a line has no area.",
    ),
    Rule(
        "polygon_odd_length",
        "quarantined",
        "A ring has an odd number of numbers.",
        "They don't pair into points, and which one is missing can't be known.",
    ),
    Rule(
        "polygon_not_finite",
        "quarantined",
        "A coordinate is NaN, infinite, or not a number.",
        "The ring can't be drawn.",
    ),
    Rule(
        "polygon_out_of_range",
        "quarantined",
        "A corner lies further from the image than the image is wide or high.",
        "It belongs to another image or scale. Corners that are nearer are drawn, and cut at the image's edge.",
    ),
    Rule(
        "polygon_too_long",
        "quarantined",
        "A ring's outline is longer than 3 million pixels.",
        "pycocotools walks along it in fifths of a pixel, and would need gigabytes.",
    ),
)
