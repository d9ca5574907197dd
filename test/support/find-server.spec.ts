import { findServer, type Server } from './servers/find.mjs';

describe('findServer', () => {
  const VARIABLE = 'TEST_NOWHERE_URL';
  const saved = { ...process.env };
  let probed: string[];

  beforeEach(() => {
    probed = [];
    delete process.env['TEST_SKIP_DEFAULT_PORTS'];
  });
  afterEach(() => {
    process.env = { ...saved };
  });

  /** A server that answers at `up` only, and whose binary, if it has one, serves at `started`. */
  function server(up: string[], binary?: string): Server {
    return {
      name: 'Nowhere',
      variable: VARIABLE,
      aptPackage: 'nowhere',
      defaults: () => ['first', 'second'],
      probe: (url) => {
        probed.push(url);
        return up.includes(url) ? Promise.resolve() : Promise.reject(new Error('refused'));
      },
      sweep: () => Promise.resolve(),
      binaries: () => (binary ? { server: binary } : undefined),
      start: () =>
        Promise.resolve({
          url: 'started',
          stop: () => Promise.resolve(),
          restart: () => Promise.resolve(),
        }),
    };
  }

  it('takes the variable and looks no further', async () => {
    process.env[VARIABLE] = 'given';
    await expect(findServer(server(['given', 'first'], '/bin/x'))).resolves.toMatchObject({ url: 'given' });
    expect(probed).toEqual(['given']);
  });

  it('does not replace a given server that does not answer', async () => {
    process.env[VARIABLE] = 'given';
    await expect(findServer(server(['first'], '/bin/x'))).rejects.toThrow(
      'Nowhere at TEST_NOWHERE_URL does not serve: refused',
    );
  });

  it('takes the first default that accepts us, and leaves it running', async () => {
    const found = await findServer(server(['second'], '/bin/x'));
    expect(found).toMatchObject({ url: 'second', stop: undefined });
  });

  it('starts the binary when no default accepts us, or when defaults are to be skipped', async () => {
    await expect(findServer(server([], '/bin/x'))).resolves.toMatchObject({
      url: 'started',
      origin: '/bin/x',
    });
    process.env['TEST_SKIP_DEFAULT_PORTS'] = '1';
    probed = [];
    await expect(findServer(server(['first'], '/bin/x'))).resolves.toMatchObject({ url: 'started' });
    expect(probed).toEqual([]);
  });

  it('says how to get a server that is nowhere', async () => {
    const missing = findServer(server([]), { install: () => undefined });
    await expect(missing).rejects.toThrow(/set TEST_NOWHERE_URL .* apt-get install nowhere/);
  });

  it('uses what the installation brought', async () => {
    const found = findServer(server([]), { install: () => ({ server: '/bin/new' }) });
    await expect(found).resolves.toMatchObject({ url: 'started', origin: '/bin/new' });
  });
});
