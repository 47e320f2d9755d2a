{{ config(meta={'owner': 'maps@jam.example'}) }}
select town, count(*) as buyers
from {{ ref('stg_buyers') }}
group by town
