/** The part of sql.js that the specs use; the package has no types. */
declare module 'sql.js' {
  export interface Statement {
    step(): boolean;
    getAsObject(): Record<string, number | string | null>;
    free(): void;
  }
  export interface Database {
    run(sql: string, params?: readonly unknown[]): void;
    prepare(sql: string, params?: readonly unknown[]): Statement;
    close(): void;
  }
  const init: () => Promise<{ Database: new () => Database }>;
  export default init;
}
