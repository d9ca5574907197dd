/** Deep enough for an error of a driver in one of TypeORM in one of the application. */
const DEPTH = 5;

/** The error, the driver's error in it, and their causes. */
export function causes(error: unknown): object[] {
  const found: object[] = [];
  let next: unknown = error;
  while (typeof next === 'object' && next !== null && found.length < DEPTH) {
    found.push(next);
    const { driverError, cause } = next as { driverError?: unknown; cause?: unknown };
    next = driverError ?? cause;
  }
  return found;
}
