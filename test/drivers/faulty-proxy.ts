import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP proxy in front of a server, whose connections can be cut or made to hang. */
export class FaultyProxy {
  readonly #sockets = new Set<Socket>();
  readonly #pairs = new Set<{ readonly upstream: Socket }>();
  #server: Server | undefined;
  #port = 0;
  #hanging = false;

  constructor(private readonly target: { host: string; port: number }) {}

  get port(): number {
    return this.#port;
  }

  /** Accepts connections; after `refuse` on the same port as before. */
  async listen(): Promise<void> {
    const server = createServer((client) => this.#accept(client));
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Swallows everything that arrives from now on. */
  hang(): void {
    this.#hanging = true;
  }

  /** Passes on what arrives from now on; what was swallowed stays lost. */
  pass(): void {
    this.#hanging = false;
  }

  /** Holds back what servers send on the connections of today; nothing is lost. */
  pause(): void {
    for (const { upstream } of this.#pairs) upstream.pause();
  }

  /** Lets through what was held back. */
  resume(): void {
    for (const { upstream } of this.#pairs) upstream.resume();
  }

  /** Never answers on the connections of today; passes on new ones. */
  ignore(): void {
    for (const socket of this.#sockets) socket.removeAllListeners('data').resume();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Cuts all connections and accepts no new ones. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Resolves when all connections are closed. */
  async drained(): Promise<void> {
    await Promise.all(
      [...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    );
  }

  #accept(client: Socket): void {
    const upstream = connect(this.target.port, this.target.host);
    const pair = { upstream };
    this.#pairs.add(pair);
    upstream.on('close', () => this.#pairs.delete(pair));
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (data) => this.#hanging || upstream.write(data));
    upstream.on('data', (data) => this.#hanging || client.write(data));
  }
}
