"""What every ledger promises. This is the port's definition; subclasses stand beside the adapters."""

import uuid

import pytest

from core.ports import Fields, Ledger, Row
from tests.contract.racing import RACER_COUNT, ROUND_COUNT, race

TEXT_MAX_CHARS = 32_000

HOSTILE_TEXTS = {
    "empty": "",
    "blanks": "  ",
    "quotes": "'\"`;--",
    "unicode": "ü😀日本",
    "a null character": "a\0b",
    "control characters": "a\x01\t\r\n\x7fb",
    "not a character": "a\uffffb",
    "like a number": "0012",
    "like null": "null",
}


def list_all(ledger: Ledger, *, limit: int) -> list[Row]:
    """Every page after another, at most 50 of them."""
    rows: list[Row] = []
    after = ""
    for _ in range(50):
        page = ledger.page(after=after, limit=limit)
        assert len(page.rows) <= limit
        rows += page.rows
        after = page.after
        if not after:
            return rows
    raise AssertionError("the listing does not end")


class LedgerContract:
    """Give the `ledger` fixture: an empty table."""

    def test_missing_row_is_none(self, ledger: Ledger) -> None:
        """A row that was never written is not there."""
        assert ledger.get("nobody") is None

    def test_row_is_read_back(self, ledger: Ledger) -> None:
        """What was put is read at once, types and all, with the version that put returned."""
        fields: Fields = {"text": "1", "number": 1, "zero": 0, "empty": ""}

        version = ledger.put("k", fields, expect=None)

        assert version is not None
        assert ledger.get("k") == Row(row_id="k", fields=fields, version=version)

    def test_second_creator_loses(self, ledger: Ledger) -> None:
        """Of two creators one wins, and the loser changes nothing."""
        version = ledger.put("k", {"by": "first"}, expect=None)

        assert ledger.put("k", {"by": "second"}, expect=None) is None
        assert _get(ledger, "k") == ({"by": "first"}, version)

    def test_update_replaces_the_whole_row(self, ledger: Ledger) -> None:
        """An update that expects the right version leaves no field of the old row."""
        first = ledger.put("k", {"old": 1, "both": 1}, expect=None)

        second = ledger.put("k", {"new": 2, "both": 2}, expect=first)

        assert second not in (None, first)
        assert _get(ledger, "k") == ({"new": 2, "both": 2}, second)

    def test_wrong_version_changes_nothing(self, ledger: Ledger) -> None:
        """An update that expects a version of before, or of another row, loses and leaves the row as it is."""
        first = ledger.put("k", {"n": 1}, expect=None)
        second = ledger.put("k", {"n": 2}, expect=first)
        other = ledger.put("other", {"n": 9}, expect=None)

        answers = [ledger.put("k", {"n": 3}, expect=wrong) for wrong in (first, other, "no version")]

        assert answers == [None, None, None]
        assert _get(ledger, "k") == ({"n": 2}, second)

    def test_update_of_a_missing_row_loses(self, ledger: Ledger) -> None:
        """An update creates no row."""
        assert ledger.put("k", {"n": 1}, expect="some version") is None
        assert ledger.get("k") is None

    def test_version_differs_after_every_write(self, ledger: Ledger) -> None:
        """Writing the same fields again makes a new version, so that nobody takes it for the old one."""
        first = ledger.put("k", {"n": 1}, expect=None)
        second = ledger.put("k", {"n": 1}, expect=first)

        assert first != second
        assert ledger.put("k", {"n": 1}, expect=first) is None

    def test_creators_race_has_one_winner(self, ledger: Ledger) -> None:
        """Of eight creators at once one wins, and the row is its own."""
        for number in range(ROUND_COUNT):
            row_id = f"race-{number}"

            versions = race(lambda racer, row_id=row_id: ledger.put(row_id, {"by": racer}, expect=None))

            winners = [({"by": racer}, version) for racer, version in enumerate(versions) if version]
            assert winners == [_get(ledger, row_id)]

    def test_updaters_race_has_one_winner(self, ledger: Ledger) -> None:
        """Of eight that expect the same version at once one wins, round after round."""
        expect = ledger.put("k", {"by": -1}, expect=None)
        for _ in range(ROUND_COUNT):
            versions = race(lambda racer, expect=expect: ledger.put("k", {"by": racer}, expect=expect))

            winners = [({"by": racer}, version) for racer, version in enumerate(versions) if version]
            assert winners == [_get(ledger, "k")]
            expect = winners[0][1]

    def test_no_update_is_lost(self, ledger: Ledger) -> None:
        """Counters that eight threads raise by reading and updating end at the sum."""
        ledger.put("k", {"count": 0}, expect=None)

        def raise_count(_: int) -> None:
            for _ in range(1000):
                (fields, version) = _get(ledger, "k")
                if ledger.put("k", {"count": int(fields["count"]) + 1}, expect=version):
                    return

        race(raise_count)

        assert _get(ledger, "k")[0] == {"count": RACER_COUNT}

    @pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)])
    def test_whole_numbers_are_exact(self, ledger: Ledger, number: int) -> None:
        """Every number of 64 bits comes back as itself."""
        ledger.put("k", {"number": number}, expect=None)

        found = _get(ledger, "k")[0]["number"]
        assert found == number
        assert type(found) is int

    @pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
    def test_text_is_exact(self, ledger: Ledger, text: str) -> None:
        """Any text comes back as itself."""
        ledger.put("k", {"text": text}, expect=None)

        assert _get(ledger, "k")[0] == {"text": text}

    def test_longest_text_is_kept(self, ledger: Ledger) -> None:
        """A field holds 32,000 characters, however many bytes each has."""
        fields = {"ascii": "x" * TEXT_MAX_CHARS, "wide": "\u65e5" * TEXT_MAX_CHARS}

        ledger.put("k", fields, expect=None)

        assert _get(ledger, "k")[0] == fields

    def test_biggest_row_is_kept(self, ledger: Ledger) -> None:
        """A row holds nearly 400,000 bytes."""
        fields = {f"field_{number}": "x" * TEXT_MAX_CHARS for number in range(12)}

        ledger.put("k", fields, expect=None)

        assert _get(ledger, "k")[0] == fields

    def test_field_names_are_only_names(self, ledger: Ledger) -> None:
        """Words that query languages reserve are names like any other, and so is the row's own id."""
        words = ("key", "size", "state", "name", "version", "order", "select", "group", "wire", "row_id")
        fields = dict.fromkeys(words, "x") | {"upload_id": "k"}

        ledger.put("k", fields, expect=None)

        assert _get(ledger, "k")[0] == fields

    def test_rows_do_not_alias(self, ledger: Ledger) -> None:
        """Changing the dict after the put changes no row."""
        fields: dict[str, str | int] = {"n": 1}
        ledger.put("k", fields, expect=None)

        fields["n"] = 2

        assert _get(ledger, "k")[0] == {"n": 1}

    def test_empty_ledger_has_an_empty_page(self, ledger: Ledger) -> None:
        """A listing of nothing ends at once."""
        page = ledger.page()

        assert (list(page.rows), page.after) == ([], "")

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 1000])
    def test_pages_give_each_row_once(self, ledger: Ledger, limit: int) -> None:
        """Whatever the page's limit, each row comes once and whole."""
        ids = [str(uuid.uuid4()) for _ in range(6)]
        written = {row_id: ledger.put(row_id, {"of": row_id}, expect=None) for row_id in ids}

        rows = list_all(ledger, limit=limit)

        assert len(rows) == len(ids)
        assert {row.row_id: (row.fields, row.version) for row in rows} == {
            row_id: ({"of": row_id}, version) for row_id, version in written.items()
        }

    def test_page_shows_the_latest_write(self, ledger: Ledger) -> None:
        """A listing sees every finished write."""
        version = None
        for number in range(10):
            version = ledger.put("k", {"n": number}, expect=version)

            assert list_all(ledger, limit=100) == [Row(row_id="k", fields={"n": number}, version=str(version))]


def _get(ledger: Ledger, row_id: str) -> tuple[Fields, str]:
    row = ledger.get(row_id)
    assert row is not None
    return row.fields, row.version
