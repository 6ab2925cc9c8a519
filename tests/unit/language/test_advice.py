"""What an author is warned of at upload: allowed, but perhaps not meant. And that a good template is left alone."""

import re

import pytest
from reporter.language.advice import MAX_NOTICES
from reporter.language.check import check
from reporter.schema import Columns, SourceSchema

from local.paths import ROOT

ACCOUNTS: Columns = {
    "id": "uuid",
    "code": "text",
    "balance": "numeric",
    "active": "boolean",
    "opened": "date",
    "at": "timestamptz",
    "meta": "jsonb",
}
OPERATIONS: Columns = {"account_id": "uuid", "amount": "numeric", "kind": "text"}
SCHEMAS = {"bank": SourceSchema("bank", {"accounts": ACCOUNTS, "operations": OPERATIONS})}


def notices(template: str, output_format: str = "TXT") -> list[tuple[int, str, str]]:
    found = check(template, output_format, SCHEMAS).notices
    return [(notice.line, notice.text, notice.message) for notice in found]


def told(template: str, output_format: str = "TXT") -> list[str]:
    return [message for _line, _text, message in notices(template, output_format)]


LOOP = "{% for a in bank.accounts %}"
INNER = "{% for o in bank.operations %}"
ENDS = "{% endfor %}{% endfor %}"
SEARCH = (
    "every row of bank.operations is looked at for each row of bank.accounts; "
    'filter(bank.operations, "account_id", …) finds them at once'
)


@pytest.mark.parametrize(
    ("template", "output_format", "line", "message"),
    [
        ("x\n{{ 'a' if null and bank.accounts else 'b' }}{% set kept = 1 %}", "TXT", 2, "kept is set but never used"),
        ("{% with bank.accounts.0 as a %}x{% endwith %}", "TXT", 1, "a is set but never used"),
        ("x\n{% macro m(a) %}{{ a }}{% endmacro %}", "TXT", 2, "the macro m is never called"),
        ("x{% with kept=bank.accounts %}{% endwith %}", "TXT", 1, "bank.accounts is read but never shown"),
        (
            f"{{% set t = 0 %}}{LOOP}\n{{% set t = t + a.balance %}}{{% endfor %}}{{{{ t }}}}",
            "TXT",
            2,
            "t keeps its value from one iteration to the next (plain Jinja would forget it)",
        ),
        ("{% set bank = 1 %}{{ bank }}", "TXT", 1, "bank hides the data source of that name"),
        (
            f"{LOOP}{{% for a in bank.operations %}}{{{{ a.amount }}}}{ENDS}",
            "TXT",
            1,
            "a hides the a of the loop around it",
        ),
        (f"x\n{LOOP}\n{{% if a.balance %}} {{% endif %}}{{% endfor %}}", "TXT", 2, "the loop prints and sets nothing"),
        (
            f"{LOOP}\n{INNER}{{% if o.account_id == a.id %}}{{{{ o.amount }}}}{{% endif %}}{ENDS}",
            "TXT",
            2,
            SEARCH,
        ),
        (
            f"{LOOP}{{% for o in bank.operations if a.id == o.account_id %}}{{{{ o.amount }}}}{ENDS}",
            "TXT",
            1,
            SEARCH,
        ),
        (
            '\n{{ bank.accounts.0.balance == "5" }}',
            "TXT",
            2,
            "balance is a number, compared with text: they are never equal",
        ),
        (
            '{{ bank.accounts.0.balance > "5" }}',
            "TXT",
            1,
            "balance is a number, compared with text: comparing them is an error",
        ),
        ("{{ 10 == bank.accounts.0.code }}", "TXT", 1, "code is text, compared with a number: they are never equal"),
        (
            "{{ bank.accounts.0.active == 1 }}",
            "TXT",
            1,
            "active is true or false, compared with a number: they are never equal",
        ),
        (
            '{% count_by bank.accounts if opened >= "01/02/2024" %}',
            "TXT",
            1,
            "opened is a date, and '01/02/2024' is no date like 2024-05-31: comparing them is an error",
        ),
        (
            '{{ bank.accounts.0.id == "0192F000-0000-7000-8000-00000000000A" }}',
            "TXT",
            1,
            "id is a UUID in lower case, and the text has capitals: they are never equal",
        ),
        ('{{ bank.accounts.0.at|date:"dd/mm/yyyy" }}', "TXT", 1, 'in "dd/mm/yyyy" mm are minutes; months are MM'),
        ('{% date_time "YYYY-MM-DD HH:MM" %}', "TXT", 1, 'in "YYYY-MM-DD HH:MM" MM are months; minutes are mm'),
        ("{{ bank.accounts }}", "TXT", 1, "prints the whole table bank.accounts as JSON, and reads all its columns"),
        ("{{ bank.accounts.0 }}", "TXT", 1, "prints a whole row of bank.accounts as JSON, and reads all its columns"),
        (
            "<p>\n{{ bank.accounts.0.code|safe }}</p>",
            "HTML",
            2,
            "code is printed without escaping: what it holds becomes part of the document's own text",
        ),
        (
            "<a>{% autoescape off %}{{ bank.accounts.0.code }}{% endautoescape %}</a>",
            "XML",
            1,
            "code is printed without escaping: what it holds becomes part of the document's own text",
        ),
        (
            '{"code":\n{{ bank.accounts.0.code }}}',
            "JSON",
            2,
            'code stands outside quotes: write "{{ … }}", or {{ …|tojson }}',
        ),
        (
            '{"on": {{ bank.accounts.0.opened }}}',
            "JSON",
            1,
            'opened stands outside quotes: write "{{ … }}", or {{ …|tojson }}',
        ),
    ],
)
def test_what_may_not_be_meant_is_told_with_its_line(template: str, output_format: str, line: int, message: str) -> None:
    assert (line, message) in [(found, said) for found, _text, said in notices(template, output_format)]


@pytest.mark.parametrize(
    ("template", "output_format"),
    [
        (f"{LOOP}{{{{ a.code }}}}{{% endfor %}}", "TXT"),
        ("{{ bank.accounts|length }}", "TXT"),
        ("{% if bank.accounts %}some{% endif %}", "TXT"),
        (f"{LOOP}x{{% endfor %}}", "TXT"),
        (f"{LOOP}{{% counter 'n' %}}{{% endfor %}}{{% counter_show 'n' %}}", "TXT"),
        ("{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}", "TXT"),
        (
            '{{ bank.accounts.0.balance == 5 }}{{ bank.accounts.0.code == "5" }}{{ bank.accounts.0.opened > "2024-01-01" }}',
            "TXT",
        ),
        ("{{ bank.accounts.0.meta == 5 }}{{ bank.accounts.0.balance == null }}{{ bank.accounts.0.active == true }}", "TXT"),
        ('{{ bank.accounts.0.code in "abc" }}{{ "5" == 5 }}', "TXT"),
        ('{{ bank.accounts.0.at|date:"dd/MM/yyyy HH:mm" }}{{ bank.accounts.0.at|date:"02/01/2006 15:04" }}', "TXT"),
        ('{{ bank.accounts.0.at|date:"d/m/Y H:i" }}{% date_time "mm:ss" %}', "TXT"),
        ("{{ bank.accounts.0.code|safe }}", "TXT"),
        ("<p>{{ '<b>'|safe }}{% macro m() %}<i>{% endmacro %}{{ m() }}</p>", "HTML"),
        (
            '{"code": "{{ bank.accounts.0.code }}", "n": {{ bank.accounts.0.balance }}, "t": {{ "x"|tojson }}}',
            "JSON",
        ),
        ('{"row": {{ bank.accounts.0 }}, "meta": {{ bank.accounts.0.meta }}}', "JSON"),
        (
            f'{LOOP}{{% for o in filter(bank.operations, "account_id", a.id) %}}{{{{ o.amount }}}}{ENDS}',
            "TXT",
        ),
        (f"{LOOP}{INNER}{{{{ o.amount }}}}{ENDS}", "TXT"),
        (
            f"{LOOP}{INNER}{{% if o.amount > a.balance %}}x{{% endif %}}{ENDS}",
            "TXT",
        ),
    ],
)
def test_what_is_meant_is_left_alone(template: str, output_format: str) -> None:
    assert told(template, output_format) == []


def test_the_samples_are_left_alone() -> None:
    kept = re.compile(r"keeps its value from one iteration")
    for sample in (ROOT / "samples" / "templates").glob("*.tpl"):
        text = sample.read_text()
        found = check(text, "XLSX" if "{% sheet" in text else "TXT", None).warnings
        assert [warning for warning in found if not kept.search(warning)] == [], sample.name


def test_notices_are_bounded_and_in_the_text_s_order() -> None:
    found = notices("".join(f"{{% set v{number} = {number} %}}\n" for number in range(200)) + "x")
    assert len(found) == MAX_NOTICES
    assert [line for line, _text, _message in found] == sorted(line for line, _text, _message in found)
