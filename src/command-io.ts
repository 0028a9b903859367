/** A command: takes its arguments, gives the exit code. */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>;

/** What a command may touch of the process. */
export interface CommandIo {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly env: NodeJS.ProcessEnv;
}
