/** Statements that change no row: session settings, explanations, maintenance, definitions without data. */
const SESSION =
  /^(?:SET|SHOW|DESCRIBE|DESC|USE|PRAGMA|VACUUM|ANALYZE|ANALYSE|REINDEX|CLUSTER|CHECKPOINT|LISTEN|UNLISTEN|NOTIFY|RESET|DISCARD|DEALLOCATE|CLOSE|DECLARE|FETCH|MOVE|LOCK|UNLOCK|FLUSH|OPTIMIZE|CHECK|CHECKSUM|KILL|ATTACH|DETACH|GRANT|REVOKE|COMMENT|HELP)\b/i;

const DEFINITION =
  /^(?:CREATE|DROP|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+|FULLTEXT\s+|SPATIAL\s+)?(?:INDEX|SEQUENCE|EXTENSION|ROLE|USER|TRIGGER|CONSTRAINT\s+TRIGGER|EVENT|POLICY|PUBLICATION|SUBSCRIPTION|STATISTICS)\b/i;
const CREATION = /^CREATE\s+(?:OR\s+REPLACE\s+)?(?:SCHEMA|DATABASE|TYPE|DOMAIN|FUNCTION|PROCEDURE)\b/i;

/** A PRAGMA that lets the schema table be written, or a database attached over a known one, is not followed. */
const NOT_SESSION = /^(?:PRAGMA\s+writable_schema|SET\s+(?:PASSWORD|STATEMENT)\b)/i;

const EXPLAIN = /^EXPLAIN\b/i;
const EXPLAIN_ANALYZE = /^EXPLAIN\s*(?:ANALY[ZS]E\b|\([^)]*\bANALY[ZS]E\b[^)]*\))/i;

/** MariaDB's `ANALYZE UPDATE ...` and `EXPLAIN ANALYZE UPDATE ...` run the statement. */
const RUNS =
  /^(?:ANALYZE(?:\s+FORMAT\s*=\s*\w+)?|EXPLAIN\s*(?:\([^)]*\)|(?:ANALY[ZS]E|VERBOSE|\s)+))\s*(?=(?:SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE|MERGE|VALUES|CREATE|EXECUTE)\b)/i;

/** The statement that an `EXPLAIN ANALYZE` runs. */
export function explainedStatement(statement: string): string | undefined {
  const runs = EXPLAIN_ANALYZE.test(statement) || /^ANALYZE\b/i.test(statement);
  const prefix = runs ? RUNS.exec(statement)?.[0] : undefined;
  return prefix === undefined ? undefined : statement.slice(prefix.length);
}

export function isSessionStatement(statement: string): boolean {
  if (NOT_SESSION.test(statement)) return false;
  if (EXPLAIN.test(statement)) return !EXPLAIN_ANALYZE.test(statement);
  return SESSION.test(statement) || DEFINITION.test(statement) || CREATION.test(statement);
}
