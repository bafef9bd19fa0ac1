-- When a partition's report changed last: a partition that restores its state or works the past out anew moves as long as
-- what it tells changes, though its fence stands. See deploy/decisions/0027-operations.md.
alter table stream_partition add column changed_at timestamptz not null default clock_timestamp();
