import type { Command } from './command-io.ts';
import { refuseRuntime } from './runtime.ts';

/** A command's line in the help, and its code, loaded only when it is called for. */
interface Entry {
  readonly summary: string;
  load(): Promise<Command>;
  /** Writes a log until it is stopped. */
  readonly serves?: true;
}

const commands: Readonly<Record<string, Entry>> = {
  serve: {
    summary: 'serve --config FILE         terminate mutual TLS and forward',
    load: async () => (await import('./serve.ts')).runServe,
    serves: true,
  },
  check: {
    summary: 'check FILE                  say everything that is wrong with a configuration',
    load: async () => (await import('./config/command.ts')).runCheck,
  },
  explain: {
    summary: 'explain --config FILE       say what becomes of a request, and why',
    load: async () => (await import('./explain/command.ts')).runExplain,
  },
  test: {
    summary: 'test POLICY_TESTS.yaml      hold a configuration to who is let in and who is not',
    load: async () => (await import('./policy-tests/command.ts')).runPolicyTests,
  },
  replay: {
    summary:
      "replay --log FILE           say which of yesterday's requests a new configuration would answer differently",
    load: async () => (await import('./replay/command.ts')).runReplay,
  },
  doctor: {
    summary:
      'doctor --config FILE        say what is wrong, or soon will be: runtime, certificates, upstreams, system',
    load: async () => (await import('./doctor/command.ts')).runDoctor,
  },
  identities: {
    summary: 'identities --admin URL      say who the clients are',
    load: async () => (await import('./observe/inventory/command.ts')).runIdentities,
  },
  rotation: {
    summary: 'rotation --admin URL        say whether a CA can be dropped, and who still needs it',
    load: async () => (await import('./observe/inventory/command.ts')).runRotation,
  },
  migrate: {
    summary: 'migrate PATH                say what becomes of the manifests that ran ingress-nginx',
    load: async () => (await import('./ingress/migrate/command.ts')).runMigrate,
  },
  pki: {
    summary: 'pki COMMAND                 make, look at and verify certificates',
    load: async () => (await import('./pki/command.ts')).runPki,
  },
  demo: {
    summary: 'demo                        a PKI, a backend and the proxy in front of it, to try things',
    load: async () => (await import('./demo/demo.ts')).runDemo,
    serves: true,
  },
};

function help(): string {
  const lines = Object.values(commands).map(({ summary }) => `  mtls-ingress ${summary}`);
  return `mtls-ingress: mutual TLS in, verified identity out\n\n${lines.join('\n')}\n\nEach command has --help.\n`;
}

/** Runs a command line and sets the process's exit code. */
export async function run(argv: readonly string[]): Promise<void> {
  const { stdin, stdout, stderr, env } = process;
  const refused = refuseRuntime(process.versions.node);
  if (refused !== null) {
    stderr.write(`${refused}\n`);
    process.exitCode = 1;
    return;
  }
  const [name = '', ...args] = argv;
  if (name === '' || name === 'help' || name === '--help' || name === '-h') {
    stdout.write(help());
    process.exitCode = name === '' ? 2 : 0;
    return;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    stderr.write(`mtls-ingress: there is no command ${JSON.stringify(name)}\n\n${help()}`);
    process.exitCode = 2;
    return;
  }
  const runCommand = await command.load();
  const code = await runCommand(args, { stdin, stdout, stderr, env });
  process.exitCode = code;
  // Whoever has stopped reading the log must not keep the process from ending.
  if (command.serves === true) process.exit(code);
}

if (import.meta.main) await run(process.argv.slice(2));
