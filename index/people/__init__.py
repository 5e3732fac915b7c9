"""The directory of owners: which person is asked for what an owner's name stands for.

Vocabulary
    An *owner* is a name, as documents, rules and CODEOWNERS give it. A *person* can be told: they have a mail
    address or an Apprise url. A *group* has members, which are owners, and so may be groups. A *rota* is a
    group whose members are asked in turn.

An owner stands for

- the person that the directory has under this name or, when the name is a mail address, under this address;
- of a group, one person: the first of its members or, of a rota, the member whose week it is. Weeks begin on
  Monday (UTC) and are counted on without a break, so that no member is passed over at the end of a year. A
  member that stands for nobody is passed over for the next one;
- a person without an entry, when the name is a mail address;
- nobody else.

Names are compared without case and white space. Two names with one mail address are one person, of whom each
entry tells what the ones before leave out: a name, a manager, Apprise urls.

`directory` (owners to persons, pure) · `read` (from the configuration or a CSV file, every error with its
line and column).

No name and no address goes to the log, a run's record or Prefect. May import: the rooms up to `config`.
"""

from index.people.directory import Directory, Person
from index.people.read import directory_of

__all__ = ["Directory", "Person", "directory_of"]
