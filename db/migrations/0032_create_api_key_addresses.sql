-- Where a key may be used from. The address is the one that the web server names (REMOTE_ADDR).

CREATE TABLE IF NOT EXISTS api_key_addresses (
  api_key_id    BIGINT UNSIGNED NOT NULL COMMENT 'The key',
  address_range VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'One address or a range of them: 203.0.113.7, 203.0.113.0/24, 2001:db8::/32',
  note          VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  PRIMARY KEY (api_key_id, address_range),
  CONSTRAINT api_key_addresses_key FOREIGN KEY (api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE,
  CONSTRAINT api_key_addresses_range CHECK (address_range REGEXP '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$'
    AND INET6_ATON(SUBSTRING_INDEX(address_range, '/', 1)) IS NOT NULL
    AND IF(LOCATE('/', address_range) > 0, CAST(SUBSTRING_INDEX(address_range, '/', -1) AS UNSIGNED), 0) <= LENGTH(INET6_ATON(SUBSTRING_INDEX(address_range, '/', 1))) * 8)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Addresses that a key may be used from; no row for a key: all';
