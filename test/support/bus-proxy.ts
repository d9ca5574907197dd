import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Commands that a client may send before it subscribes. */
const FIRST_CHUNKS = 20;

/** Leads to a server, which may become another; can be slow for those who only listen. */
export class BusProxy {
  /** Port of the server. */
  target = 0;
  /** Milliseconds by which subscribers hear later. */
  delay = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((client) => this.accept(client));

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
  }

  private accept(client: Socket): void {
    const upstream = connect(this.target, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    let chunks = 0;
    let listens = false;
    client.on('data', (data) => {
      if (chunks++ < FIRST_CHUNKS && /\bsubscribe\b/i.test(data.toString('latin1'))) listens = true;
      upstream.write(data);
    });
    // In order: a message that is not delayed any more must not overtake one that still is.
    let due = 0;
    upstream.on('data', (data) => {
      const now = performance.now();
      due = Math.max(due, listens ? now + this.delay : 0);
      if (due <= now) client.write(data);
      else setTimeout(() => client.write(data), due - now);
    });
  }
}
