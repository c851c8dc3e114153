"""From text to tokens and back: nothing is lost, and no text gives a control token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from support.checkpoints import BEGIN, END, STORIES, byte_level_tokenizer, edit_json, sentencepiece_tokenizer
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

from genlib.errors import CheckpointError, InvalidRequest
from genlib.text.tokenizer import Tokenizer


def load(folder: Path, tokenizer: tokenizers.Tokenizer, **settings: Any) -> Tokenizer:
    tokenizer.save(str(folder / "tokenizer.json"))
    return Tokenizer.load(folder, **settings)


def spell(tokenizer: Tokenizer, ids: list[int]) -> bytes:
    return b"".join(map(tokenizer.token_bytes, ids))


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load(tmp_path_factory.mktemp("byte_level"), byte_level_tokenizer())


@pytest.fixture(scope="module")
def sentencepiece(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load(tmp_path_factory.mktemp("sentencepiece"), sentencepiece_tokenizer())


MARKS = st.sampled_from([BEGIN, END, "<s>", "</s>", "<unk>", "<think>", " ", "  ", "▁", "<0x41>", "the", "🦊"])
TEXTS = st.lists(st.text(max_size=5) | MARKS, max_size=8).map("".join)


@given(TEXTS, st.booleans())
def test_byte_level_text_comes_back(byte_level: Tokenizer, text: str, continues: bool) -> None:
    ids = byte_level.encode(text, continues=continues)
    assert spell(byte_level, ids) == text.encode()
    assert not {0, 1} & set(ids)


@given(TEXTS.filter(lambda text: "▁" not in text), st.booleans())
def test_sentencepiece_text_comes_back(sentencepiece: Tokenizer, text: str, continues: bool) -> None:
    ids = sentencepiece.encode(text, continues=continues)
    # Llama 2's normaliser also puts a space behind each added token, as its library does: left as it is.
    if continues or "<think>" not in text:
        assert spell(sentencepiece, ids) == (text if continues or not text else " " + text).encode()
    assert not {0, 1, 2} & set(ids)


@pytest.mark.parametrize("prefix", ["normalizer", "metaspace", "none"])
def test_the_space_before_a_text_is_put_once(tmp_path: Path, prefix: str) -> None:
    tokenizer = load(tmp_path, sentencepiece_tokenizer(prefix=prefix))
    first, more = tokenizer.encode("the on"), tokenizer.encode("the", continues=True)
    assert tokenizer.strip_leading_space == (prefix != "none")
    assert spell(tokenizer, first + more) == (b"" if prefix == "none" else b" ") + b"the onthe"


def test_a_byte_level_space_before_a_text_is_put_once(tmp_path: Path) -> None:
    raw = byte_level_tokenizer()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=True)]
    )
    tokenizer = load(tmp_path, raw)
    assert spell(tokenizer, tokenizer.encode("fox") + tokenizer.encode("es", continues=True)) == b" foxes"
    assert not tokenizer.strip_leading_space


def test_ids_are_those_of_the_library_for_ordinary_text(byte_level: Tokenizer, sentencepiece: Tokenizer) -> None:
    for story in STORIES:
        assert byte_level.encode(story) == byte_level_tokenizer().encode(story, add_special_tokens=False).ids
        want = sentencepiece_tokenizer().encode(story, add_special_tokens=False).ids
        assert sentencepiece.encode(story) == want


def test_bytes_of_tokens(byte_level: Tokenizer, sentencepiece: Tokenizer) -> None:
    raw = sentencepiece_tokenizer()
    think, the = raw.token_to_id("<think>"), raw.token_to_id("▁the")
    assert sentencepiece.token_bytes(the) == b" the"
    assert sentencepiece.token_bytes(think) == b"<think>"
    assert sentencepiece.token_bytes(3 + 0xC3) == b"\xc3"
    assert [sentencepiece.token_bytes(i) for i in (0, 1, 2, 10_000)] == [b"", b"", b"", b""]
    assert [byte_level.token_bytes(i) for i in (0, 1, 10_000)] == [b"", b"", b""]
    fox = byte_level.encode(" fox")
    assert [byte_level.token_bytes(i) for i in fox] == [b" fox"]


def test_added_tokens_stand_for_themselves_in_a_byte_level_vocabulary(tmp_path: Path) -> None:
    raw = byte_level_tokenizer()
    raw.add_tokens([AddedToken("é b", special=False, normalized=False)])
    tokenizer = load(tmp_path, raw)
    assert tokenizer.encode("é b") == [raw.token_to_id("é b")]
    assert spell(tokenizer, tokenizer.encode("aé bc")) == "aé bc".encode()


def test_what_comes_first(tmp_path: Path) -> None:
    assert load(tmp_path, byte_level_tokenizer()).prefix_ids == [0]
    assert load(tmp_path, byte_level_tokenizer(bos=False)).prefix_ids == []
    edit_json(tmp_path / "tokenizer_config.json", {"add_bos_token": True, "bos_token": {"content": END}})
    assert load(tmp_path, byte_level_tokenizer(bos=False)).prefix_ids == [1]
    assert load(tmp_path, byte_level_tokenizer()).prefix_ids == [0]
    edit_json(tmp_path / "tokenizer_config.json", {"bos_token": "<absent>"})
    with pytest.raises(CheckpointError, match=r"`bos_token` must .* got '<absent>'"):
        load(tmp_path, byte_level_tokenizer(bos=False))


def test_control_tokens_that_are_not_declared_special(tmp_path: Path) -> None:
    raw = byte_level_tokenizer()
    raw.add_tokens([AddedToken("<|stop|>", special=False)])
    stop = raw.token_to_id("<|stop|>")
    assert load(tmp_path, raw).encode("a<|stop|>b")[1] == stop
    tokenizer = load(tmp_path, raw, control_ids=[stop])
    ids = tokenizer.encode("a<|stop|>b")
    assert stop not in ids
    assert spell(tokenizer, ids) == b"a<|stop|>b"
    assert tokenizer.token_bytes(stop) == b""


def unigram() -> tokenizers.Tokenizer:
    """A model that finds special tokens by itself, in spite of `encode_special_tokens`."""
    pieces = [("<unk>", 0.0), ("</s>", 0.0), *((c, -9.0) for c in "▁ab</s>")]
    raw = tokenizers.Tokenizer(models.Unigram(pieces, 0, False))
    raw.normalizer = normalizers.Replace(" ", "▁")
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    raw.add_special_tokens(["<unk>", "</s>"])
    return raw


def test_a_model_that_reaches_control_tokens_by_itself(tmp_path: Path) -> None:
    tokenizer = load(tmp_path, unigram())
    ids = tokenizer.encode("a</s> b")
    assert 1 not in ids
    assert spell(tokenizer, ids) == b"a</s> b"


def test_text_that_a_vocabulary_cannot_spell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="'ü'"):
        load(tmp_path, unigram()).encode("aüb")
    tokenizer = load(tmp_path, byte_level_tokenizer(alphabet=False))
    assert spell(tokenizer, tokenizer.encode("the fox")) == b"the fox"
    with pytest.raises(InvalidRequest, match="'X'"):
        tokenizer.encode("the foX")


def test_truncation_padding_and_dropout_of_the_file_are_off(tmp_path: Path) -> None:
    raw = byte_level_tokenizer()
    want = raw.encode(STORIES[0], add_special_tokens=False).ids
    raw.enable_truncation(4)
    raw.enable_padding(length=64)
    raw.model.dropout = 0.9
    tokenizer = load(tmp_path, raw)
    assert tokenizer.encode(STORIES[0]) == want
    assert tokenizer.encode("") == []


@pytest.mark.parametrize(
    ("decoder", "named"),
    [
        (decoders.WordPiece(), '"WordPiece"'),
        (decoders.Sequence([decoders.ByteLevel(), decoders.CTC()]), '"ByteLevel"'),
        (decoders.Sequence([decoders.Fuse(), decoders.Strip("_", 1, 0)]), '"Strip"'),
        (decoders.Sequence([decoders.Replace(tokenizers.Regex("x+"), " ")]), '"Regex"'),
        (None, "null"),
    ],
)
def test_other_decoders_are_refused_by_name(tmp_path: Path, decoder: Any, named: str) -> None:
    raw = tokenizers.Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    if decoder is not None:
        raw.decoder = decoder
    with pytest.raises(CheckpointError, match=named):
        load(tmp_path, raw)


def test_a_tokenizer_must_be_there_be_whole_and_fit_the_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer\.json does not exist"):
        Tokenizer.load(tmp_path)
    raw = byte_level_tokenizer(vocab_size=320)
    assert load(tmp_path, raw, vocab_size=320).encode("fox")
    with pytest.raises(CheckpointError, match=r"below `vocab_size` \(319\).* got 319"):
        load(tmp_path, raw, vocab_size=319)
    raw.add_special_tokens(["<|pad|>"])  # beyond V, but no text and no sampling can give it
    assert load(tmp_path, raw, vocab_size=320).encode("<|pad|>")
    (tmp_path / "tokenizer.json").write_text((tmp_path / "tokenizer.json").read_text()[:5000])
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot be used"):
        Tokenizer.load(tmp_path)


@given(TEXTS | st.text("ab ", max_size=200), st.booleans())
def test_a_text_has_at_least_as_many_tokens_as_foretold(
    byte_level: Tokenizer, sentencepiece: Tokenizer, text: str, continues: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genlib.text.tokenizer.LONG_TEXT", 0)
        assert (byte_level.least_tokens(text) > 0) == bool(text)
        assert byte_level.least_tokens(text) <= len(byte_level.encode(text, continues=continues))
        assert sentencepiece.least_tokens(text) == 0  # its normaliser may shorten a text


@pytest.mark.parametrize("change", ["strips", "removes", "normalises"])
def test_nothing_is_foretold_of_a_tokenizer_that_shortens_texts(tmp_path: Path, change: str) -> None:
    tokenizer = byte_level_tokenizer()
    if change == "strips":
        tokenizer.add_tokens([AddedToken("<think>", lstrip=True)])
    elif change == "removes":
        split = pre_tokenizers.Split(" ", "removed")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    else:
        tokenizer.normalizer = normalizers.NFC()
    assert load(tmp_path, tokenizer).least_tokens(" " * 10**6) == 0
