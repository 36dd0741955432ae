from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESSAGE_TYPE_UNSPECIFIED: _ClassVar[MessageType]
    TASK: _ClassVar[MessageType]
    RESULT: _ClassVar[MessageType]
    ERROR: _ClassVar[MessageType]
    STATUS: _ClassVar[MessageType]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    LOW: _ClassVar[Priority]
    NORMAL: _ClassVar[Priority]
    HIGH: _ClassVar[Priority]
    CRITICAL: _ClassVar[Priority]
MESSAGE_TYPE_UNSPECIFIED: MessageType
TASK: MessageType
RESULT: MessageType
ERROR: MessageType
STATUS: MessageType
PRIORITY_UNSPECIFIED: Priority
LOW: Priority
NORMAL: Priority
HIGH: Priority
CRITICAL: Priority

class Message(_message.Message):
    __slots__ = ("agent_id", "task_id", "message_type", "payload", "confidence", "timestamp_us", "parent_task_id", "id", "to", "to_address", "topic", "specialism", "broadcast", "reply_to", "thread", "correlation_id", "causation_id", "priority", "ttl_s", "hops")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_US_FIELD_NUMBER: _ClassVar[int]
    PARENT_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    TO_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SPECIALISM_FIELD_NUMBER: _ClassVar[int]
    BROADCAST_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSATION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TTL_S_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    task_id: str
    message_type: MessageType
    payload: Object
    confidence: float
    timestamp_us: int
    parent_task_id: str
    id: bytes
    to: str
    to_address: str
    topic: str
    specialism: str
    broadcast: bool
    reply_to: str
    thread: str
    correlation_id: str
    causation_id: bytes
    priority: Priority
    ttl_s: int
    hops: int
    def __init__(self, agent_id: _Optional[str] = ..., task_id: _Optional[str] = ..., message_type: _Optional[_Union[MessageType, str]] = ..., payload: _Optional[_Union[Object, _Mapping]] = ..., confidence: _Optional[float] = ..., timestamp_us: _Optional[int] = ..., parent_task_id: _Optional[str] = ..., id: _Optional[bytes] = ..., to: _Optional[str] = ..., to_address: _Optional[str] = ..., topic: _Optional[str] = ..., specialism: _Optional[str] = ..., broadcast: bool = ..., reply_to: _Optional[str] = ..., thread: _Optional[str] = ..., correlation_id: _Optional[str] = ..., causation_id: _Optional[bytes] = ..., priority: _Optional[_Union[Priority, str]] = ..., ttl_s: _Optional[int] = ..., hops: _Optional[int] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("null", "boolean", "integer", "large_integer", "number", "text", "list", "object")
    NULL_FIELD_NUMBER: _ClassVar[int]
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    LARGE_INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    null: bool
    boolean: bool
    integer: int
    large_integer: int
    number: float
    text: str
    list: List
    object: Object
    def __init__(self, null: bool = ..., boolean: bool = ..., integer: _Optional[int] = ..., large_integer: _Optional[int] = ..., number: _Optional[float] = ..., text: _Optional[str] = ..., list: _Optional[_Union[List, _Mapping]] = ..., object: _Optional[_Union[Object, _Mapping]] = ...) -> None: ...

class List(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, items: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Object(_message.Message):
    __slots__ = ("fields",)
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.MessageMap[str, Value]
    def __init__(self, fields: _Optional[_Mapping[str, Value]] = ...) -> None: ...
