// What can be taken out: of settled jobs, and of models. Each claim is signed by the person, and pays to their own account.
import { Button, Table, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { Amount } from '@/components/facts';
import { Scroll } from '@/components/layout';
import { useReview } from '@/components/ReviewSheet';
import { Empty } from '@/components/states';
import { useNetwork } from '@/lib/api/network';
import type { Earnings, Network } from '@/lib/api/types';
import { indexed, signAndCall } from '@/lib/chain/load';
import { e8s } from '@/lib/units';

type Row = Earnings['claimable'][number];

export function Claimable({ earnings, mine }: { earnings: Earnings; mine: boolean }) {
  const network = useNetwork();
  if (earnings.claimable.length === 0) return <Empty title="Nothing is claimable now">Your part of each payment collects here until you claim it. It cannot be lost, and nobody else can take it.</Empty>;
  return (
    <Scroll label="Claimable">
      <Table aria-label="Claimable">
        <Table.Tbody>
          {earnings.claimable.map((row) => (
            <Table.Tr key={`${row.kind}/${row.job_id ?? row.model}`}>
              <Table.Td>
                <Link to={row.kind === 'job' ? `/jobs/${row.job_id}` : `/models/${row.model}`}>{row.name}</Link>
                <Text size="xs" c="dimmed">
                  {row.kind === 'job' ? 'a job' : 'a model'}
                </Text>
              </Table.Td>
              <Table.Td ta="right">
                <Amount e8s={row.amount_e8s} />
              </Table.Td>
              <Table.Td ta="right">{mine && network.data && <ClaimButton row={row} network={network.data} />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

function ClaimButton({ row, network }: { row: Row; network: Network }) {
  const review = useReview();
  const queries = useQueryClient();
  const fee = BigInt(network.token.fee_e8s);
  const amount = BigInt(row.amount_e8s);
  if (amount <= fee) return <Text size="xs" c="dimmed">less than the ledger&apos;s fee: it goes on collecting</Text>;
  const source = row.kind === 'job' ? 'jobs' : (row.model ?? '');
  const claim = () =>
    review({
      title: `Claim from "${row.name}"`,
      button: 'Claim this amount',
      changes: [<><Amount e8s={e8s(amount - fee)} /> move to your account.</>],
      seenBy: 'Everybody: the ledger is public.',
      cost: <>The ledger&apos;s fee of <Amount e8s={network.token.fee_e8s} /> is taken from the amount.</>,
      undo: 'It does not need to be: the tokens are yours.',
      steps: [
        {
          name: 'Claim on the chain',
          signed: true,
          run: async ({ stage }) => {
            await signAndCall(
              queries,
              (chain) =>
                row.kind === 'job'
                  ? { canister: 'jobs', contract: chain.jobs, method: 'payout_claim', args: [BigInt(row.job_id ?? 0)] }
                  : { canister: source, contract: chain.cooperative, method: 'revenue_claim', args: [] },
              stage,
            );
            await indexed(queries, source);
          },
        },
      ],
    });
  return (
    <Button size="xs" onClick={() => void claim()} aria-label={`Claim from ${row.name}`}>
      Claim
    </Button>
  );
}
