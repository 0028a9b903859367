/** A command to try, and the answer it gives. */
export interface Step {
  readonly title: string;
  /** A line for a POSIX shell. */
  readonly command: string;
  /** Said in words for people. */
  readonly answer: string;
  /** Must stand in what the command prints. */
  readonly prints: readonly string[];
  /** Must not stand there. */
  readonly never?: readonly string[];
}

export interface DemoPlace {
  /** Folder of the demo PKI, as it is to be written in a command. */
  readonly certificates: string;
  readonly httpsPort: number;
  readonly adminPort: number;
}

/** The walk through the demo. The test of the demo runs every command and holds it to its answer. */
export function demoSteps({ certificates, httpsPort, adminPort }: DemoPlace): readonly Step[] {
  const url = `https://localhost:${httpsPort}`;
  const curl = `curl -sS --cacert ${certificates}/root.pem`;
  const as = (name: string): string =>
    `--cert ${certificates}/${name}.pem --key ${certificates}/${name}-key.pem`;
  const status = `-o /dev/null -w '%{http_code}\\n'`;
  return [
    {
      title: 'A client of ITOps: the backend answers, and sees who is asking',
      command: `${curl} ${as('roshankhatri')} ${url}/headers`,
      answer: 'ssl-client-verify: SUCCESS, and its subject CN=roshankhatri,OU=ITOps,…',
      prints: ['SUCCESS', 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP'],
    },
    {
      title: 'No certificate',
      command: `${curl} ${url}/headers`,
      answer: '400 No required SSL certificate was sent',
      prints: ['400', 'No required SSL certificate was sent'],
    },
    {
      title: 'A good certificate of another OU: the policy says no',
      command: `${curl} ${as('sales')} ${url}/headers`,
      answer: '403 client certificate unauthorized',
      prints: ['403', 'client certificate unauthorized'],
    },
    {
      title: 'An expired certificate',
      command: `${curl} ${as('expired')} ${url}/headers`,
      answer: '400 The SSL certificate error',
      prints: ['400', 'The SSL certificate error'],
    },
    {
      title: 'A certificate of a CA that is not trusted, asking for JSON',
      command: `${curl} ${as('foreign')} -H 'Accept: application/json' ${url}/headers`,
      answer: '{"status":400,"error":"The SSL certificate error",…}',
      prints: ['400', 'The SSL certificate error'],
    },
    {
      title: 'Forged identity headers never reach the backend',
      command: `${curl} ${as('roshankhatri')} -H 'ssl-client-subject-dn: CN=root' -H 'SSL_Client_Verify: FORGED' ${url}/headers`,
      answer: 'the same as the first: neither CN=root nor FORGED',
      prints: ['SUCCESS', 'CN=roshankhatri'],
      never: ['CN=root"', 'FORGED'],
    },
    {
      title: 'The host name of the manifest',
      command: `${curl} ${as('roshankhatri')} --resolve in.logpoint.com.np:${httpsPort}:127.0.0.1 ${status} https://in.logpoint.com.np:${httpsPort}/status/204`,
      answer: '204',
      prints: ['204'],
    },
    {
      title: 'What Prometheus sees',
      command: `curl -sS http://127.0.0.1:${adminPort}/metrics | grep mtls_handshakes_total | grep -v ' 0$'`,
      answer: 'handshakes accepted and rejected, by reason',
      prints: [
        'result="accepted",reason="ok"',
        'result="rejected",reason="no_certificate"',
        'reason="expired"',
      ],
    },
  ];
}
