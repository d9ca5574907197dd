import { commitsImplicitly } from '../../lib/sql/index.js';

const COMMITS = [
  'alter table film add x int',
  'create table film2 (id int)',
  'CREATE TABLE film2 AS SELECT * FROM film',
  'create or replace table film (id int)',
  'create index i on film (title)',
  "create user 'a'@'b'",
  'create database d',
  'drop table film',
  'drop user a',
  'drop index i on film',
  'truncate film',
  'TRUNCATE TABLE film',
  'rename table film to movie',
  'grant select on film to a',
  'revoke all on film from a',
  'lock tables film write',
  'LOCK TABLE film READ',
  'unlock tables',
  'analyze table film',
  'optimize no_write_to_binlog table film',
  'repair table film',
  'check table film',
  'flush tables',
  'begin',
  'start transaction read only',
  "set password = 'x'",
  'set autocommit = 1',
  'SET @@autocommit=ON',
  'set session autocommit := true',
  'set names utf8mb4, @@session.autocommit = 1',
  '/* first */ -- then\n create table film2 (id int)',
  '# only\ndrop view film_stat',
  'update film set title = 1; drop table actor',
  '/*!40000 alter table film disable keys */',
];

const DOES_NOT = [
  'create temporary table t (id int)',
  'CREATE OR REPLACE TEMPORARY TABLE t (id int)',
  'drop temporary table if exists t',
  'select id from film',
  "select 'drop table film'",
  "insert into film (title) values ('; drop table film')",
  'update film set title = 1 -- ; drop table film',
  '/* drop table film */ delete from film',
  'analyze update film set title = 1',
  'analyze format=json delete from film',
  'checksum table film',
  'explain alter table film add x int',
  'savepoint begin_here',
  'set autocommit = 0',
  'SET @@session.autocommit = OFF',
  'set global autocommit = 1',
  'set @@global.autocommit = 1',
  'set @x = 1',
  'set names utf8mb4',
  "load data infile 'x' into table film",
  'replace into film (id) values (1)',
  'show create table film',
  '',
];

describe('commitsImplicitly', () => {
  it.each(COMMITS)('MySQL commits: %s', (sql) => {
    expect(commitsImplicitly(sql, 'mysql')).toBe(true);
  });
  it.each(DOES_NOT)('MySQL does not commit: %s', (sql) => {
    expect(commitsImplicitly(sql, 'mysql')).toBe(false);
  });
  it.each(COMMITS)('the others never do: %s', (sql) => {
    expect([commitsImplicitly(sql, 'postgres'), commitsImplicitly(sql, 'sqlite')]).toEqual([false, false]);
  });
});
