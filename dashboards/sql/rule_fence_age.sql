-- Seconds for which the oldest reading that was fetched waits to be stored.
select coalesce(max(fence_age_s), 0) as value from partition_samples where at > now() - interval '2 minutes'
