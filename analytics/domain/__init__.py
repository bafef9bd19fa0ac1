"""The terms of the field as types: values that are checked when built, no I/O.

==================  ==========================================================================  ====================
term                meaning                                                                     the standard's own
==================  ==========================================================================  ====================
energy-using unit   the legal body that is supervised; has the ledger                           用能单位
sub-unit            energy accounting unit below it                                             次级用能单位
main equipment      a single device above the standard's limit                                  主要用能设备
metering point      a place where a quantity is measured; outlives its meters                   计量点
meter               the instrument with a serial number, at a point from an instant to another  能源计量器具
register            one counter of a meter, only rising, in dial units                          计度器
reading             one register value at one instant                                           示值
consumption         quantity used in a half-open UTC interval: register difference × multiplier 消费量
multiplier          current ratio × voltage ratio; dated; dimensionless                         倍率
full scale          smallest value a register cannot show                                       满度值
accuracy class      ordered: 0.2S is stricter than 0.2                                          准确度等级
verification due    last day the verification holds                                             有效期至
equipping rate      meters installed over meters required, at a level                           配备率
==================  ==========================================================================  ====================

Our own words, where the code needs one that the field does not have or that is shorter:

==================  ==========================================  ==================================================
word                the field's word                            meaning here
==================  ==========================================  ==================================================
anchor              last valid reading                          register differences are counted from it
run                 suspected outliers, level shift             readings off the anchor that await confirmation
level               level after a shift                         where a register continues after a confirmed run
habit               usage profile                               probability that a dial moves, by hour of the week
surprise            self-information                            -ln of the probability of what was observed
standstill          run of identical readings                   a dial that does not move
further register    auxiliary register                          any register beside the one that is consumption
group, balance      metering-point hierarchy                    a parent and the children that it is the sum of
wander              random walk (in control)                    slow drift of a sound meter within its class
hourly noise        measurement noise                           independent error of an hour
restless            overdispersion                              test statistics that vary more than their model
unnamed             ambiguous fault location                    a change that no single meter explains best
watched             below the alarm limit                       the meter may still be within its class
sight, verdict      observability                               whether a fault would be detected at a point
person (a verdict)  undecided                                   a finding that a person has to decide
stands in           substitutes                                 an edition applied because another is not known
to stand            open                                        an alert, finding or detection that is not over
lane                partition pipeline                          one Kafka partition on its way into the store
fence               committed offset with epoch (fencing)       what lies below it is stored; guards against two owners
mark (of a log)     fingerprint                                 offset, time and checksum of a stored record
mark (of totals)    dirty flag                                  hours of a unit whose totals have to be recomputed
incarnation         topic id                                    a topic deleted and made again is another one
inbox, admission    per-producer topic, authorisation           where a gateway writes, and what goes on from there
spool               store-and-forward buffer                    what waits on a gateway's disk for Kafka
desk                alerting engine                             see `analytics.alerting.desk`
notice, letter      notification, digest                        what an alert has to say; what a person receives
layer               storage tier                                new readings narrow, old ones packed
at rest             immutable, cold                             a chunk that nothing is added to any more
==================  ==========================================  ==================================================
"""
