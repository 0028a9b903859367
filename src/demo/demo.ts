import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { App, ListenError } from '../app.ts';
import { createFileSource } from '../config/file-source.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import type { Source } from '../config/source.ts';
import type { CommandIo } from '../command-io.ts';
import { makeDemoPki } from '../pki/demo.ts';
import { sayWhyNot, serveUntilStopped } from '../serve.ts';
import { DemoBackend } from './backend.ts';
import { demoSteps } from './steps.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const usage = `mtls-ingress demo

Makes a demo PKI under certs/demo/ if there is none, starts a backend, the proxy and the admin listener, all
on 127.0.0.1, and prints commands to try.

  PORT=8443          the proxy's port
  ADMIN_PORT=9090    the admin listener's
  BACKEND_PORT=8000  the backend's (0 lets the system pick, for each of them)
  --quiet            no access log
`;

/** The command `demo`, which `npm start` runs. Resolves with the exit code. */
export async function runDemo(args: readonly string[], io: CommandIo): Promise<number> {
  const ports = readPorts(io);
  if (ports === null) return 2;
  let quiet: boolean;
  try {
    const options = { help: { type: 'boolean', short: 'h' }, quiet: { type: 'boolean' } } as const;
    const { values } = parseArgs({ args: [...args], options });
    if (values.help === true) {
      io.stdout.write(usage);
      return 0;
    }
    quiet = values.quiet ?? false;
  } catch (error) {
    io.stderr.write(`mtls-ingress demo: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  const certificates = join(root, 'certs', 'demo');
  await makeDemoPki(certificates);
  const backend = new DemoBackend();
  try {
    const { port } = await listenBackend(backend, ports.backend);
    const app = new App(demoSource(join(root, 'config', 'demo.yaml'), { ...ports, backend: port }, quiet));
    return await serveUntilStopped(app, (addresses) => {
      io.stdout.write(
        welcome(port, {
          certificates: relative(process.cwd(), certificates) || '.',
          httpsPort: addresses.https.port,
          adminPort: addresses.admin.port,
        }),
      );
    });
  } catch (error) {
    const code = sayWhyNot(error, io);
    if (error instanceof ListenError)
      io.stderr.write('PORT, ADMIN_PORT and BACKEND_PORT choose other ports.\n');
    return code;
  } finally {
    await backend.close();
  }
}

interface Ports {
  readonly https: number;
  readonly admin: number;
  readonly backend: number;
}

function readPorts({ env, stderr }: CommandIo): Ports | null {
  const read = (name: string, otherwise: number): number | null => {
    const text = env[name];
    if (text === undefined || text === '') return otherwise;
    if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
    stderr.write(`mtls-ingress demo: ${name} must be a port, 0 to 65535, and is ${JSON.stringify(text)}\n`);
    return null;
  };
  const [https, admin, backend] = [read('PORT', 8443), read('ADMIN_PORT', 9090), read('BACKEND_PORT', 8000)];
  return https === null || admin === null || backend === null ? null : { https, admin, backend };
}

async function listenBackend(backend: DemoBackend, port: number): Promise<{ readonly port: number }> {
  try {
    return await backend.listen(port);
  } catch (error) {
    throw new ListenError(`the backend cannot use 127.0.0.1:${port}: another program listens there`, {
      cause: error,
    });
  }
}

/** The demo's configuration file, with the ports that were asked for. */
function demoSource(file: string, ports: Ports, quiet: boolean): Source {
  const source = createFileSource(file);
  return {
    watch: (onChange) => source.watch(onChange),
    async load() {
      const loaded = await source.load();
      if (!loaded.ok) return loaded;
      const { config } = loaded;
      const upstreams = Object.fromEntries(
        Object.entries(config.upstreams).map(([name, upstream]): [string, UpstreamConfig] => [
          name,
          { ...upstream, endpoints: [`127.0.0.1:${ports.backend}`] },
        ]),
      );
      const listeners = {
        https: { address: '127.0.0.1', port: ports.https },
        admin: { address: '127.0.0.1', port: ports.admin },
      };
      return { ...loaded, config: { ...config, listeners, upstreams, accessLog: !quiet } };
    },
  };
}

function welcome(backendPort: number, place: Parameters<typeof demoSteps>[0]): string {
  const steps = demoSteps(place).map(
    ({ title, command, answer }, index) => `${index + 1}. ${title}\n   ${command}\n   → ${answer}\n`,
  );
  return [
    'mtls-ingress demo',
    `  proxy    https://localhost:${place.httpsPort}    client certificate required, OU must be ITOps`,
    `  backend  http://127.0.0.1:${backendPort}`,
    `  status   http://127.0.0.1:${place.adminPort}/`,
    '',
    'Try, in another terminal:',
    '',
    ...steps,
    'Ctrl-C stops it. The log follows, a line per request.',
    '',
  ].join('\n');
}
