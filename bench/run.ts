import { measureDecisions } from './decide.ts';
import { measureHandshakes } from './handshake.ts';
import { measureIngress } from './ingress.ts';
import { measureReload } from './reload.ts';
import { measureRequests } from './requests.ts';
import { Rig } from './rig.ts';

// `npm run bench` measures requests; `npm run bench -- handshake` handshakes, and memory of idle connections; `npm run bench -- reload` reloads of many hosts;
// `npm run bench -- ingress` loads of many manifests; `npm run bench -- decide` one decision, and an explanation. What is needed: Debian's nginx, for handshakes haproxy too; taskset where there is one. NODE_FLAGS are for our proxy's
// node: `--cpu-prof --cpu-prof-dir=/tmp` leaves a profile.

const benches: Readonly<Record<string, (rig: Rig) => Promise<void>>> = {
  requests: measureRequests,
  handshake: measureHandshakes,
  reload: measureReload,
  ingress: measureIngress,
  decide: measureDecisions,
};

const [name = 'requests'] = process.argv.slice(2);
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
