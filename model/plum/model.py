"""PLUM as a whole, and its training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from model.plum import decoding, losses, patches, scoring
from model.plum.backbone import Backbone, Picture
from model.plum.batch import Batch, Choices, Renamed
from model.plum.config import PlumConfig
from model.plum.mask_feedback import MaskFeedback
from model.plum.queries import QueryProjection, mean_of_spans, normalized
from model.plum.reading import Shown, read
from model.plum.sam import SamConfig
from model.plum.segmenter import Decoded, Segmenter
from model.plum.sharing import SharedSight
from model.plum.span_extractor import SpanExtractor


class Plum(nn.Module):
    """Backbone, span extractor, query projection, mask decoder, mask feedback."""

    tag_weights: Tensor

    def __init__(self, config: PlumConfig, backbone: Backbone, segmenter: Segmenter) -> None:
        """A backbone and a segmenter; which of the backbone's weights train is set here. Raises ModelError."""
        super().__init__()
        self.config = config.checked()
        self.backbone = backbone
        self.segmenter = segmenter
        self.sam_config = SamConfig.named(config.sam_size)
        self.extractor = SpanExtractor(config.spans, backbone.hidden) if config.marking == "tags" else None
        vocabulary = backbone.plain.get_input_embeddings().num_embeddings if config.query.words else None
        self.query = QueryProjection(backbone.hidden, segmenter.width, vocabulary)
        self.sight = SharedSight(segmenter.channels, backbone.hidden) if config.shared_sight else None
        self.feedback = MaskFeedback(segmenter.sam, config.feedback) if config.feedback is not None else None
        self.register_buffer("tag_weights", torch.tensor(config.losses.span_weights), persistent=False)
        self._freeze()

    def _freeze(self) -> None:
        trainable = self.config.trainable
        if trainable.language == "adapters" and not self.backbone.adapted:
            self.backbone.adapt(self.config.lora)
        plain = self.backbone.plain
        if trainable.language != "adapters":
            plain.requires_grad_(False)
            plain.get_decoder().requires_grad_(trainable.language == "all")
            plain.get_output_embeddings().requires_grad_(trainable.language == "all")
        decoder = {id(one) for one in plain.get_decoder().parameters()}
        head = {id(one) for one in plain.get_output_embeddings().parameters()}
        for parameter in plain.parameters():
            if id(parameter) not in decoder | head:
                parameter.requires_grad_(trainable.vision)
        if self.config.marking == "seg_token":
            plain.get_input_embeddings().requires_grad_(True)
            plain.get_output_embeddings().requires_grad_(True)
        self.backbone.learn_in_float32()

    # The pieces, as training and answering both use them

    def embeddings(self, batch: Batch) -> Tensor:
        """SAM's embeddings (P, C, h, w) of a batch's photographs, each computed once, or taken as they come."""
        return batch.pixels if batch.embedded else self.segmenter.encode(batch.pixels)

    def features(self, pictures: Sequence[Picture], embeddings: Tensor, valid: Tensor) -> list[Tensor]:
        """For each of P photographs, what the language model reads in its place: features (tokens, hidden).

        Its SAM `embeddings` (P, C, h, w), and where in SAM's square it lies, bool (P, 4h, 4w).
        """
        found = self.backbone.features(pictures)
        return found if self.sight is None else self.sight(found, embeddings, valid)

    # Training

    def forward(self, batch: Batch, truth: float = 0.0, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """The sums of the losses over a batch (`losses.Sums`).

        `truth` is the share of spans whose true mask is shown to the later ones in the place of the model's own (scheduled
        sampling), drawn from `generator`.
        """
        wanted = self.config.losses
        embeddings = self.embeddings(batch)
        features = self.features(batch.pictures, embeddings, batch.valid)
        sums: dict[str, Tensor] = {}
        if batch.choices is not None and wanted.choice > 0:
            states, renamed, sums["choice"] = self._chosen(batch, batch.choices, features)
        else:
            states, renamed = self._windows(batch, features)
        told, answers = scoring.masks_of(batch.rendered, states.device)
        targets = scoring.targets_of(batch.rendered, states.device)
        sums["lm"] = losses.language(self.backbone.logits(states[told]), targets)
        tokens = states[:, 1:]
        if self.extractor is not None:
            logits = self.extractor(tokens, answers)
            sums["span"] = losses.spans(logits[answers], batch.tags[answers], self.tag_weights)
            if batch.renamed is not None:
                also = scoring.masks_of(batch.renamed.rendered, states.device)[1]
                logits = self.extractor(renamed[:, 1:], also)
                sums["span"] = sums["span"] + losses.spans(logits[also], batch.renamed.tags[also], self.tag_weights)
        if not len(batch.spans):
            return sums
        where = (batch.spans.row, batch.spans.first, batch.spans.last)
        ids = scoring.answers_of(batch.rendered, self.backbone.renderer.pad_id, states.device)
        queries = self.query(tokens, ids, *where)
        decoded = self._decoded(batch, embeddings, queries, truth, generator)
        valid = batch.valid[batch.picture_of[batch.spans.row]]
        sums |= losses.of_masks(decoded.logits, batch.targets, valid, wanted)
        if wanted.patches > 0:
            sums["patches"] = self._said_by_patches(batch, features, ids, where)
        if wanted.kl > 0:
            with self.backbone.as_teacher():
                frozen = self._windows(replace(batch, renamed=None), features)[0][:, 1:]
            student, teacher = mean_of_spans(tokens, *where), mean_of_spans(frozen, *where)
            sums["kl"] = losses.drift(student, teacher, wanted.kl_sigma, wanted.kl_reduction).sum()
        return sums

    def _decoded(
        self, batch: Batch, embeddings: Tensor, queries: Tensor, truth: float, generator: torch.Generator | None
    ) -> Decoded:
        """The masks of a batch's spans; their true ones are shown to later spans with the probability `truth`."""
        given = (embeddings, batch.picture_of, queries, batch.spans)
        if self.feedback is not None and truth >= 1:
            return decoding.forced(self.segmenter, self.feedback, *given, batch.targets)
        shown = None
        if truth > 0:
            shown = torch.rand(len(batch.spans), generator=generator).to(queries.device) < truth
        return decoding.masks(self.segmenter, self.feedback, *given, shown=shown, instead=batch.targets)

    def _said_by_patches(
        self, batch: Batch, features: list[Tensor], ids: Tensor, where: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """The sum of the loss `patches` over a batch's spans; `ids` int64 (N, A) are the answers' tokens."""
        side = patches.side_of(features)
        names = mean_of_spans(normalized(self.backbone.plain.get_input_embeddings()(ids)), *where)
        of = batch.picture_of[batch.spans.row]
        coverage = patches.coverage_of(batch.targets, batch.valid[of], side)
        return patches.loss_of(patches.logits_of(torch.stack(features)[of], names), coverage).sum()

    def _windows(self, batch: Batch, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """(N, 1 + A, hidden): states of each prompt's last token, and of its answer's; and (K, 1 + A, hidden) of renamed ones.

        A photograph's tokens are read once.
        """
        also = _renamed(batch)
        several = (*batch.rendered, *also.rendered)
        rows, until = [one.ids for one in several], [one.n_prompt - 1 for one in several]
        shown = Shown(batch.pictures, features, torch.cat([batch.picture_of, batch.picture_of[also.of]]).tolist())
        found = read(self.backbone, rows, shown, until=until)
        windows = scoring.windows(found.states, several, found.skipped)
        n = len(batch.rendered)
        return scoring.fitted(windows[:n], batch.rendered), scoring.fitted(windows[n:], also.rendered)

    def _chosen(self, batch: Batch, choices: Choices, features: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Both kinds of windows, and the listwise loss: each answer is one of its question's choices, and read as such."""
        also, n = _renamed(batch), len(choices.rendered)
        texts, of = (*choices.rendered, *also.rendered), (*choices.of.tolist(), *also.of.tolist())
        shown = Shown(batch.pictures, features, batch.picture_of.tolist())
        found = scoring.read_answers(self.backbone, choices.prompts, shown, texts, of)
        states, renamed = (
            scoring.fitted(found[choices.correct], batch.rendered),
            scoring.fitted(found[n:], also.rendered),
        )
        scores = scoring.likelihoods_of(self.backbone, scoring.fitted(found[:n], choices.rendered), choices.rendered)
        return states, renamed, losses.listwise(scores, choices.of, choices.correct)


def _renamed(batch: Batch) -> Renamed:
    """Those of a batch; none where it has none."""
    return batch.renamed or Renamed((), batch.picture_of[:0], batch.tags[:0])
