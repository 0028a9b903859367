import { measureAccessLog } from './access-log.ts';
import { compare } from './compare/compare.ts';
import { measureDecisions } from './decide.ts';
import { measureHandshakes } from './handshake.ts';
import { measureIdentities } from './identities.ts';
import { measureIngress } from './ingress.ts';
import { measureReload } from './reload.ts';
import { measureRequests } from './requests.ts';
import { Rig } from './rig.ts';
import { measureWorkers } from './workers.ts';

// `npm run bench` compares us with nginx, HAProxy and Caddy. With a name behind `--` it measures one thing: `requests`, ours
// beside nginx's; `handshake`, and memory of idle connections; `reload`, of many hosts; `ingress`, loads of many manifests;
// `decide`, one decision and an explanation; `identities`, what noting clients costs; `access-log`, what its lines cost;
// `workers`, what a second one brings. What is needed: Debian's nginx and haproxy, and caddy where there is one; taskset
// where there is one. NODE_FLAGS are for our proxy's node: `--cpu-prof --cpu-prof-dir=/tmp` leaves a profile.

const benches: Readonly<Record<string, (rig: Rig) => Promise<void>>> = {
  compare,
  requests: measureRequests,
  handshake: measureHandshakes,
  reload: measureReload,
  ingress: measureIngress,
  decide: measureDecisions,
  identities: measureIdentities,
  'access-log': measureAccessLog,
  workers: measureWorkers,
};

const [name = 'compare'] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) {
  console.error(`no bench ${name}: there are ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  const rig = new Rig();
  try {
    await bench(rig);
  } finally {
    await rig.close();
  }
}
