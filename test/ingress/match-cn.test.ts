import t from 'tap';
import { suggestPolicy } from '../../src/ingress/annotations/match-cn.ts';

void t.test('the typed policy that a match-cn pattern stands for', async (t) => {
  const table: [pattern: string, policy: string][] = [
    ['CN=roshankhatri', '{cn: roshankhatri}'],
    ['CN=roshankhatri,OU=ITOps', '{cn: roshankhatri, ou: ITOps}'],
    ['CN=(a|b)', '{cn: [a, b]}'],
    ['CN=client\\.example\\.com$', '{cn: client.example.com}'],
    ['CN=.*-service', "{cn: {regex: '.*-service'}}"],
    ["CN=O'Brien", "{cn: 'O''Brien'}"],
    ['CN=a,CN=b', "{cn: 'a,CN=b'}"],
    ['CN=a{1,3},O=X', "{cn: {regex: 'a{1,3}'}, o: X}"],
    ['CN=true', "{cn: 'true'}"],
  ];
  for (const [pattern, policy] of table) {
    t.equal(suggestPolicy(pattern), `mtls-ingress.io/policy: ${JSON.stringify(policy)}`, pattern);
  }
});
