{{ config(materialized='ephemeral') }}
select buyer_id, count(*) as sales, sum(euros) as euros
from {{ ref('stg_sales') }}
group by buyer_id
