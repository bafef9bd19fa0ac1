"""Protocols that are imported only when a device asks for them.

=================== =============================== ==========================================
module              protocol                        needs
=================== =============================== ==========================================
`iec104`            IEC 60870-5-104                 nothing more
`dlt698`            DL/T 698.45                     nothing more
`opcua`             OPC UA                          asyncua: ``pip install meterwarden[opcua]``
=================== =============================== ==========================================
"""
