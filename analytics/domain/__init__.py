"""What the field's words mean here: values that are checked when built, no machines.

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
consumption         quantity used in a half-open UTC interval: register difference × multiplier 用量
multiplier          current ratio × voltage ratio; dated; dimensionless                         倍率
full scale          smallest value a register cannot show                                       满度值
accuracy class      ordered: 0.2S is stricter than 0.2                                          准确度等级
verification due    last day the verification holds                                             有效期至
equipping rate      meters installed over meters required, at a level                           配备率
==================  ==========================================================================  ====================
"""
