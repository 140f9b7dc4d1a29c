"""The page of the roles names every permission, each once."""

from web.pages.role_words import GROUPS
from web.permissions import Permission


def test_every_permission_stands_on_the_page_of_the_roles_once() -> None:
    named = [permission for _, table in GROUPS for permission in table]
    assert sorted(named) == sorted(Permission)
    texts = [text for _, table in GROUPS for text in table.values()]
    assert len(set(texts)) == len(texts)
