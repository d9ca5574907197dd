import type { DatabaseKind } from '../support/databases.js';

/** SQL of the application: `:name` is a parameter, identifiers are in double quotes. */
export interface RawWrite {
  readonly sql: string;
  readonly only?: readonly DatabaseKind[];
  /** A form that names no rows, or that mostly fails on keys that are taken: left to the rough part of a trace. */
  readonly rare?: true;
}

const SERVERS = ['postgres', 'mariadb'] as const;
const RETURNING = ['sqlite', 'postgres'] as const;

export const RAW_WRITES: readonly RawWrite[] = [
  { sql: 'UPDATE "article" SET "categoryId" = :toCategory WHERE "categoryId" = :category' },
  { sql: 'UPDATE "article" SET "views" = "views" + 1 WHERE "status" = :status' },
  { sql: 'UPDATE "article" SET "title" = :title WHERE "views" = :number' },
  { sql: 'UPDATE "article" SET "views" = :number WHERE "title" = :title' },
  { sql: 'UPDATE "article" SET "status" = :status, "price" = :price WHERE "id" IN (:id, :other)' },
  {
    sql: 'UPDATE "article" SET "price" = "price" + 0.5 WHERE "categoryId" = :category AND "published" = true',
  },
  { sql: 'UPDATE "article" SET "slug" = :slug WHERE "id" BETWEEN 3 AND 6' },
  { sql: 'UPDATE "article" SET "published" = NOT "published" WHERE "id" = :id' },
  {
    sql: 'UPDATE "article" SET "views" = (SELECT COUNT(*) FROM "comment" WHERE "comment"."articleId" = "article"."id") WHERE "id" = :id',
  },
  {
    sql: 'UPDATE "article" SET "categoryId" = (SELECT MIN("id") FROM "category" WHERE "rank" = :number) WHERE "authorId" = :author',
    rare: true,
  },
  {
    sql: 'UPDATE "article" SET "title" = :title WHERE EXISTS (SELECT 1 FROM "category" WHERE "category"."id" = "article"."categoryId" AND "category"."rank" = :number)',
  },
  { sql: 'UPDATE "category" SET "rank" = :number WHERE "name" = :title' },
  { sql: 'UPDATE "category" SET "name" = :title', rare: true },
  { sql: 'UPDATE "category" SET "parentId" = :toCategory WHERE "id" = :category' },
  { sql: 'UPDATE "comment" SET "articleId" = :other WHERE "articleId" = :id' },
  { sql: 'UPDATE "comment" SET "stars" = :number WHERE "authorId" IS NULL' },
  { sql: 'UPDATE "comment" SET "stars" = "stars" - 1 WHERE "stars" > 0' },
  { sql: 'UPDATE "author" SET "name" = :slug, "addressZip" = :number WHERE "id" = :author' },
  { sql: 'UPDATE "setting" SET "value" = :slug WHERE "scope" = :scope' },
  { sql: 'UPDATE "setting" SET "slot" = "slot" + 3 WHERE "slot" = :number', rare: true },
  { sql: 'DELETE FROM "setting" WHERE "slot" > 3' },
  { sql: 'DELETE FROM "comment" WHERE "articleId" = :id' },
  { sql: 'DELETE FROM "comment" WHERE "stars" = :number AND "articleId" > 5' },
  { sql: 'DELETE FROM "article" WHERE "id" = :id' },
  { sql: 'DELETE FROM "article" WHERE "categoryId" = :category AND "views" = :number' },
  { sql: 'DELETE FROM "category" WHERE "id" = :category' },
  { sql: 'DELETE FROM "author" WHERE "id" = :author' },
  { sql: 'DELETE FROM "article_labels_label" WHERE "articleId" = :id' },
  {
    sql: 'INSERT INTO "comment" ("text", "stars", "articleId") SELECT "slug", :number, "id" FROM "article" WHERE "categoryId" = :category',
    rare: true,
  },
  { sql: 'INSERT INTO "comment" ("text", "articleId") VALUES (:slug, :id)' },
  { sql: 'INSERT INTO "category" ("id", "name") VALUES (:category, :title)', rare: true },
  { sql: 'INSERT INTO "label" VALUES (:label, :number)', rare: true },
  {
    sql: 'INSERT INTO "setting" ("scope", "slot", "value") VALUES (:scope, 1, :slug), (:scope, 2, NULL)',
    rare: true,
  },
  {
    sql: 'INSERT INTO "category" ("id", "rank") VALUES (:category, :number) ON CONFLICT ("id") DO UPDATE SET "rank" = EXCLUDED."rank"',
    only: RETURNING,
    rare: true,
  },
  {
    sql: 'INSERT INTO "category" ("id", "rank") VALUES (:category, :number) ON DUPLICATE KEY UPDATE "rank" = VALUES("rank")',
    only: ['mariadb'],
    rare: true,
  },
  { sql: 'INSERT INTO "label" ("code") VALUES (:label) ON CONFLICT DO NOTHING', only: RETURNING, rare: true },
  {
    sql: 'REPLACE INTO "setting" ("scope", "slot", "value") VALUES (:scope, 2, :slug)',
    only: ['sqlite', 'mariadb'],
    rare: true,
  },
  {
    sql: 'REPLACE INTO "category" ("id", "rank") VALUES (:category, :number)',
    only: ['sqlite', 'mariadb'],
    rare: true,
  },
  { sql: 'UPDATE "article" SET "views" = :number WHERE "id" = :id RETURNING "id", "views"', only: RETURNING },
  { sql: 'DELETE FROM "comment" WHERE "stars" = :number RETURNING *', only: RETURNING },
  { sql: 'INSERT INTO "comment" ("text", "articleId") VALUES (:slug, :id) RETURNING "id" AS "key"' },
  {
    sql: 'UPDATE "article" SET "categoryId" = c."id" FROM "category" c WHERE c."rank" = :number AND "article"."views" = c."id"',
    only: RETURNING,
    rare: true,
  },
  {
    sql: 'UPDATE "article" a INNER JOIN "category" c ON c."id" = a."categoryId" SET a."views" = c."rank" WHERE c."id" = :category',
    only: ['mariadb'],
    rare: true,
  },
  {
    sql: 'DELETE FROM "comment" USING "article" WHERE "article"."id" = "comment"."articleId" AND "article"."views" = :number',
    only: ['postgres'],
    rare: true,
  },
  {
    sql: 'WITH gone AS (DELETE FROM "setting" WHERE "slot" = :number RETURNING "scope") UPDATE "category" SET "rank" = 0 WHERE "name" IN (SELECT "scope" FROM gone)',
    only: ['postgres'],
    rare: true,
  },
  {
    sql: 'WITH few AS (SELECT "id" FROM "article" ORDER BY "id" LIMIT 2) UPDATE "article" SET "views" = :number WHERE "id" IN (SELECT "id" FROM few)',
    only: RETURNING,
    rare: true,
  },
  {
    sql: 'UPDATE "article" SET "views" = :number WHERE "title" = :title ORDER BY "id" LIMIT 1',
    only: ['mariadb'],
    rare: true,
  },
  { sql: 'DELETE FROM "comment" ORDER BY "id" LIMIT 1', only: ['mariadb'], rare: true },
  {
    sql: 'INSERT INTO "article" ("id", "title", "categoryId") VALUES (:id, :title, :toCategory)',
    rare: true,
  },
  {
    sql: 'INSERT INTO "article" ("id", "views", "status") VALUES (:id, :number, :status), (:other, 0, DEFAULT)',
    only: SERVERS,
    rare: true,
  },
  { sql: 'TRUNCATE TABLE "profile"', only: SERVERS, rare: true },
];
