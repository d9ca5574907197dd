export interface Binaries {
  server: string;
}

/** One kind of server: where it may be, how to ask it, how to start it. */
export interface Server {
  name: string;
  /** The environment variable that holds its URL, for the user to set and for the tests to read. */
  variable: string;
  aptPackage: string;
  /** URLs to try, in order. */
  defaults(): string[];
  /** Rejects unless a server at `url` accepts us with the rights the tests need. */
  probe(url: string): Promise<unknown>;
  /** Removes what killed test runs left in it. */
  sweep(url: string): Promise<void>;
  binaries(): Binaries | undefined;
  /** @param extra more arguments for the server; all but PostgreSQL take them */
  start(binaries: Binaries, extra?: readonly string[]): Promise<StartedServer>;
}

export interface StartedServer {
  url: string;
  stop: () => Promise<void>;
  /** Lets it crash, and starts it again with what it has written. */
  restart: () => Promise<void>;
}

export interface FoundServer {
  url: string;
  origin: string;
  /** Undefined when the server was running already. */
  stop: (() => Promise<void>) | undefined;
  restart: (() => Promise<void>) | undefined;
}

export function findServer(
  server: Server,
  steps?: { install(server: Server): Binaries | undefined },
): Promise<FoundServer>;
