// A model's proposals, and the answers that were paid for.
import { Table, Text } from '@mantine/core';
import { Link } from 'react-router';
import { Amount, State, TimeLeft, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Scroll } from '@/components/layout';
import { Empty, Shown } from '@/components/states';
import { Person } from '@/components/Thread';
import { useProposals } from '@/lib/api/models';
import type { Model } from '@/lib/api/types';
import { formatBps, formatUnits, words } from '@/lib/format';

export function Proposals({ model }: { model: Model }) {
  const query = useProposals(model.canister);
  return (
    <Shown query={query} what="proposals">
      {(page) =>
        page.results.length === 0 ? (
          <Empty title="Nothing has been proposed yet">Any owner can propose a release, new terms, or a payment from the treasury.</Empty>
        ) : (
          <Scroll label="Proposals">
            <Table aria-label="Proposals" miw={560}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Proposal</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th>Yes</Table.Th>
                  <Table.Th>No</Table.Th>
                  <Table.Th>By</Table.Th>
                  <Table.Th>When</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {page.results.map((proposal) => (
                  <Table.Tr key={proposal.id}>
                    <Table.Td>
                      <Link to={`/models/${model.canister}/proposals/${proposal.id}`}>{proposal.title}</Link>
                      <Text size="xs" c="dimmed">
                        {words(proposal.kind)}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      <State of={proposal.state} />
                    </Table.Td>
                    <Table.Td>{formatBps((10_000 * proposal.yes) / Math.max(1, proposal.total))}</Table.Td>
                    <Table.Td>{formatBps((10_000 * proposal.no) / Math.max(1, proposal.total))}</Table.Td>
                    <Table.Td>
                      <Person principal={proposal.proposer} />
                    </Table.Td>
                    <Table.Td>{proposal.state === 'voting' ? <TimeLeft until={proposal.deadline_ns} /> : <When ns={proposal.decided_at_ns ?? proposal.submitted_at_ns} />}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Scroll>
        )
      }
    </Shown>
  );
}

export function Calls({ model }: { model: Model }) {
  if (model.calls.length === 0) return <Empty title="Nobody has paid for an answer yet">Each payment is split to the unit among the owners, as the shares say.</Empty>;
  return (
    <Scroll label="Paid answers">
      <Table aria-label="Paid answers" miw={520}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>When</Table.Th>
            <Table.Th>Who asked</Table.Th>
            <Table.Th ta="right">Paid</Table.Th>
            <Table.Th>Split</Table.Th>
            <Table.Th />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {model.calls.map((call) => (
            <Table.Tr key={call.proof.block}>
              <Table.Td>
                <When ns={call.at_ns} />
              </Table.Td>
              <Table.Td>
                <Person principal={call.payer} />
              </Table.Td>
              <Table.Td ta="right">
                <Amount e8s={call.price_e8s} />
              </Table.Td>
              <Table.Td>
                {formatUnits(call.parts.length, 'owner')}, treasury <Amount e8s={call.treasury_e8s} />
              </Table.Td>
              <Table.Td ta="right">
                <HowDoWeKnow compact proof={call.proof} of="this payment" />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
