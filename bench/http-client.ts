import { connect, type Socket } from 'node:net';

const END = Buffer.from('\r\n\r\n');

/** What came back. */
export interface RawResponse {
  /** Status line and headers. */
  readonly head: string;
  readonly body: Buffer;
}

/** Asks for one path over as many connections as there are requests under way, and does as little else as it can. */
export class HttpClient {
  private readonly idle: Connection[] = [];
  private readonly all: Connection[] = [];
  private readonly request: string;

  constructor(private readonly port: number) {
    this.request = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  }

  async get(): Promise<RawResponse> {
    const connection = this.idle.pop() ?? (await this.open());
    const response = await connection.ask(this.request);
    this.idle.push(connection);
    return response;
  }

  close(): void {
    for (const connection of this.all) connection.close();
  }

  private async open(): Promise<Connection> {
    const connection = await Connection.open(this.port);
    this.all.push(connection);
    return connection;
  }
}

class Connection {
  private chunks: Buffer[] = [];
  private size = 0;
  private wanted = 0;
  private bodyAt = 0;
  private done: ((response: RawResponse) => void) | undefined;
  private fail: ((error: Error) => void) | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', (error) => this.fail?.(error));
    socket.on('close', () => this.fail?.(new Error('the server has closed the connection')));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Connection(socket);
  }

  ask(request: string): Promise<RawResponse> {
    return new Promise((resolve, reject) => {
      this.done = resolve;
      this.fail = reject;
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.wanted === 0) this.measure();
    if (this.wanted === 0 || this.size < this.wanted) return;
    const whole = Buffer.concat(this.chunks);
    const { bodyAt, done } = this;
    this.chunks = [];
    this.size = this.wanted = this.bodyAt = 0;
    done?.({ head: whole.toString('latin1', 0, bodyAt), body: whole.subarray(bodyAt) });
  }

  private measure(): void {
    const start = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    const end = start.indexOf(END);
    if (end < 0) return;
    const length = /content-length: (\d+)/i.exec(start.toString('latin1', 0, end))?.[1];
    if (length === undefined) return void this.fail?.(new Error('a response without Content-Length'));
    this.bodyAt = end + END.length;
    this.wanted = this.bodyAt + Number(length);
  }
}
