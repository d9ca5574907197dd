import type { ServerResponse } from 'node:http';

/**
 * Watches for a cookie that is added when the response leaves, after everything that could be looked at beforehand
 * (middleware does so with hooks on `writeHead`).
 */
export function onLateCookie(response: ServerResponse, tell: () => void): void {
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = (...args: unknown[]) => {
    const sent = writeHead(...args);
    if (response.getHeader('set-cookie') !== undefined || args.some(namesCookie)) tell();
    return sent;
  };
}

/** Headers may be given to `writeHead` itself, as an object or a flat list. */
function namesCookie(argument: unknown): boolean {
  if (typeof argument !== 'object' || argument === null) return false;
  const names: unknown[] = Array.isArray(argument) ? argument : Object.keys(argument);
  return names.some((name) => typeof name === 'string' && name.toLowerCase() === 'set-cookie');
}
