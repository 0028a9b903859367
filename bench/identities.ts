import { Inventory } from '../src/observe/inventory/inventory.ts';
import { IdentityRecorder } from '../src/observe/inventory/recorder.ts';
import { forward, requestEvent, testConnection, testHost, testIdentity } from '../test/observe/fixture.ts';
import { summary } from './measure.ts';
import { host, Rig } from './rig.ts';
import { oursWith, sideBySide, tellDifference } from './side-by-side.ts';

// What noting identities costs. First alone: one request told to the recorder, the sixteen connections of four identities in
// turn. Then in CPU time of the proxy per proxied request: two of ours, one of which keeps none. Two processes of one
// configuration differ by microseconds (KEEP=10000,10000 shows it), so the first figure is the one to go by.

const rounds = Number(process.env['ROUNDS'] ?? 15);
const connections = 16;
const kept = (process.env['KEEP'] ?? '10000,0').split(',').map(Number);

export async function measureIdentities(rig: Rig): Promise<void> {
  measureRecorder();
  const variants = kept.map((keep) => oursWith(`keep ${keep}`, `inventory: { keep: ${keep} }`));
  tellDifference(await sideBySide(rig, variants));
}

function measureRecorder(): void {
  const recorder = new IdentityRecorder(new Inventory(10_000, 0));
  const to = testHost(host);
  const events = Array.from({ length: connections }, (_, index) => {
    const identity = { ...testIdentity, sha256: String(index % 4).padStart(64, '0') };
    return requestEvent(forward(to), { connection: testConnection({ identity, notes: { identity: null } }) });
  });
  const times = 1_000_000;
  const perRequest: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let index = 0; index < times; index++) recorder.request(events[index % connections]!);
    const { user, system } = process.cpuUsage(before);
    perRequest.push((user + system) / times);
  }
  console.log(`the recorder alone, per request, ${rounds} rounds of ${times}: ${summary(perRequest, 3)} µs`);
}
