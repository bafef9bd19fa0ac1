-- People sign in on pages. Of passwords there is an Argon2 hash, of invitations and sessions a digest, in a schema of
-- their own: `board.services()` gives rights in schema public alone, so what may look in here is said here.

alter table person drop constraint person_role_check;
alter table person add constraint person_role_check check (role in ('staff', 'inspector', 'enterprise', 'operator'));

create schema sign_in;

create table sign_in.account (
    person_id     int4 primary key references person,
    password      text,                                -- Argon2id, with its parameters; null until it is chosen
    administrator boolean not null default false,      -- may enter people and end their sessions
    changed_at    timestamptz not null default now()
);
create table sign_in.invitation (                      -- a link by which a person chooses a password, once
    digest     bytea primary key check (length(digest) = 32),
    person_id  int4 not null references person,
    standing   int4 not null,                          -- how the person stood when it was made
    made_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz
);
create index on sign_in.invitation (person_id);
create table sign_in.session (
    id         int8 generated always as identity primary key,
    digest     bytea not null unique check (length(digest) = 32),
    person_id  int4 not null references person,
    standing   int4 not null,                          -- another role or unit ends it
    began_at   timestamptz not null default now(),
    seen_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    ended_at   timestamptz,
    client     text not null default '',
    agent      text not null default ''
);
create index on sign_in.session (person_id);

grant usage on schema sign_in to meterwarden_api;
grant select, insert, update, delete on all tables in schema sign_in to meterwarden_api;
grant usage on all sequences in schema sign_in to meterwarden_api;
