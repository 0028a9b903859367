import { IssuerDatabase } from '../../src/pki/database.ts';

// Run as a process of its own: appends records one by one, as fast as it can.
const [path = '', from = '0', count = '0'] = process.argv.slice(2);
const database = new IssuerDatabase(path);
for (let index = Number(from); index < Number(from) + Number(count); index++) {
  await database.append({
    event: 'issued',
    at: new Date().toISOString(),
    serial: index.toString(16).toUpperCase().padStart(32, '0'),
    subject: `CN=${'x'.repeat(index % 300)}`,
    notBefore: new Date().toISOString(),
    notAfter: new Date().toISOString(),
    profile: 'client',
    sha256: '',
  });
}
