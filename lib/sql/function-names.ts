const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Built-ins whose result is not a function of the rows read: clock, chance, session, locks, side effects. */
export const VOLATILE_FUNCTIONS = words(`
  random rand randomblob random_normal random_bytes setseed uuid uuid_short sys_guid gen_random_uuid gen_random_bytes
  uuidv4 uuidv7 uuid_v4 uuid_v7 uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4
  now current_timestamp current_time current_date localtime localtimestamp sysdate curdate curtime utc_date utc_time
  utc_timestamp clock_timestamp statement_timestamp transaction_timestamp timeofday
  nextval currval lastval setval last_insert_id last_insert_rowid changes total_changes row_count found_rows
  user current_user session_user system_user current_role current_catalog current_schema current_schemas
  current_database current_query current_setting set_config database schema connection_id
  sleep pg_sleep benchmark get_lock release_lock release_all_locks is_free_lock is_used_lock master_pos_wait
  txid_current txid_current_snapshot txid_current_if_assigned inet_client_addr inet_client_port inet_server_addr
  load_file load_extension query_to_xml table_to_xml cursor_to_xml dblink nextval_for
`);

/** Built-ins of PostgreSQL, MySQL/MariaDB and SQLite that depend on their arguments only. */
export const PURE_FUNCTIONS = words(`
  count sum avg min max total every bool_and bool_or bit_and bit_or bit_xor array_agg string_agg group_concat
  json_agg jsonb_agg json_object_agg jsonb_object_agg json_arrayagg json_objectagg json_group_array json_group_object
  jsonb_group_array jsonb_group_object xmlagg any_value
  stddev stddev_pop stddev_samp std variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy regr_count
  regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy percentile_cont percentile_disc mode median grouping
  row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
  coalesce nullif ifnull isnull if iif nvl nvl2 greatest least case decode elt field interval choose row array values
  abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling conv cos cosd cosh cot cotd
  crc32 degrees div exp factorial floor gcd lcm ln log log10 log2 min_scale mod pi pow power radians round scale sign
  sin sind sinh sqrt tan tand tanh trim_scale trunc truncate width_bucket
  ascii ascii_char bin bit_count bit_length btrim char char_length character_length chr chara concat concat_ws convert
  convert_from convert_to encode export_set find_in_set format format_bytes from_base64 glob hex initcap insert instr
  lcase left length like likelihood likely unlikely locate lower lpad ltrim make_set md5 mid normalize oct octet_length
  ord overlay parse_ident position printf quote quote_ident quote_literal quote_nullable regexp_count regexp_instr
  regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_substr repeat replace reverse
  right rpad rtrim sha sha1 sha2 sha224 sha256 sha384 sha512 soundex space split_part starts_with strcmp string_to_array
  strpos substr substring substring_index to_base64 to_ascii to_hex translate trim ucase unhex unicode unistr upper
  weight_string compress uncompress uncompressed_length aes_encrypt aes_decrypt inet_aton inet_ntoa inet6_aton
  inet6_ntoa is_ipv4 is_ipv6 is_uuid uuid_to_bin bin_to_uuid concat_operator levenshtein similarity word_similarity
  strict_word_similarity show_trgm unaccent metaphone dmetaphone difference typeof zeroblob version sqlite_version
  adddate addtime age convert_tz date date_add date_bin date_format date_part date_sub date_trunc datediff day dayname
  dayofmonth dayofweek dayofyear extract from_days from_unixtime get_format hour isfinite julianday justify_days
  justify_hours justify_interval last_day make_date make_interval make_time make_timestamp make_timestamptz makedate
  maketime microsecond minute month monthname period_add period_diff quarter sec_to_time second str_to_date strftime
  subdate subtime time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_char to_date to_days
  to_number to_seconds to_timestamp unixepoch unix_timestamp week weekday weekofyear year yearweek datetime timezone
  add_months
  json json_array json_array_append json_array_insert json_array_length json_build_array json_build_object json_compact
  json_contains json_contains_path json_depth json_detailed json_error_position json_exists json_extract
  json_extract_path json_extract_path_text json_insert json_keys json_length json_loose json_merge json_merge_patch
  json_merge_preserve json_object json_overlaps json_patch json_pretty json_quote json_query json_remove json_replace
  json_search json_set json_storage_size json_strip_nulls json_type json_typeof json_unquote json_valid json_value
  jsonb jsonb_array_length jsonb_build_array jsonb_build_object jsonb_extract_path jsonb_extract_path_text jsonb_insert
  jsonb_object jsonb_path_exists jsonb_path_match jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set
  jsonb_set_lax jsonb_strip_nulls jsonb_typeof to_json to_jsonb row_to_json array_to_json member
  array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
  array_prepend array_remove array_replace array_to_string array_upper cardinality unnest
  to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline
  tsvector_to_array array_to_tsvector setweight strip numnode querytree tsquery_phrase match bm25 highlight snippet
  lower_inc upper_inc lower_inf upper_inf isempty range_merge int4range int8range numrange tsrange tstzrange daterange
  host hostmask masklen netmask network family broadcast abbrev text set_masklen
  area box center circle diameter height isclosed isopen line lseg npoints path pclose point polygon popen radius width
  st_area st_asbinary st_asewkt st_asgeojson st_astext st_aswkt st_boundary st_buffer st_centroid st_contains
  st_containsproperly st_coveredby st_covers st_crosses st_difference st_dimension st_disjoint st_distance
  st_distance_sphere st_distancesphere st_dwithin st_endpoint st_envelope st_equals st_exteriorring st_geogfromtext
  st_geohash st_geomfromgeojson st_geomfromtext st_geomfromwkb st_geometrytype st_intersection st_intersects st_isclosed
  st_isempty st_issimple st_isvalid st_latitude st_length st_linefromtext st_longitude st_makeenvelope st_makepoint
  st_npoints st_numpoints st_overlaps st_perimeter st_point st_pointfromtext st_polygonfromtext st_setsrid st_srid
  st_startpoint st_symdifference st_touches st_transform st_union st_within st_x st_y
  cast binary bool_to_int numeric int4 int8 int2 float4 float8 varchar nlevel subpath ltree2text text2ltree lca index
  subltree akeys avals hstore hstore_to_json hstore_to_jsonb exist defined
`);

/** SQLite's date functions read the clock when told `'now'`, or nothing at all. */
export const SQLITE_DATE_FUNCTIONS = words('date time datetime julianday unixepoch strftime timediff');
